// Runs a command and strikes at its N-th system call that changes files: write (not to the standard streams), sync, rename,
// truncate, allocate, make, remove, create.
//
//   saboteur count COMMAND...          prints how many such calls it makes
//   saboteur kill N COMMAND...         kills it (SIGKILL) before the N-th takes place; 3 if it makes fewer
//   saboteur full N TIMES COMMAND...   from the N-th on, TIMES calls that need room fail: no space left on the device
//
// SIGINT and SIGTERM are handed on to the command. The kernel asks this program about each such call (seccomp's user
// notification), so the command is the one that is installed, and no call escapes, whichever library or thread makes it. Exit
// status: the command's, 137 if it was killed, 77 where the kernel does not offer this.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNABLE = 77, FEWER = 3, KILLED = 137 };

// Calls whose number alone says that they change files, and whether they need room.
static const struct call {
  int number;
  bool room;
} calls[] = {
  {__NR_fsync, true}, {__NR_fdatasync, true}, {__NR_ftruncate, false}, {__NR_truncate, false}, {__NR_fallocate, true},
  {__NR_mkdirat, true}, {__NR_unlinkat, false}, {__NR_renameat2, false},
#if defined(__NR_renameat)
  {__NR_renameat, false},
#endif
#if defined(__NR_rename)
  {__NR_rename, false},
#endif
#if defined(__NR_mkdir)
  {__NR_mkdir, true},
#endif
#if defined(__NR_unlink)
  {__NR_unlink, false},
#endif
};
static const int writes[] = {__NR_write, __NR_pwrite64, __NR_writev};

enum { CALLS = sizeof calls / sizeof *calls, WRITES = sizeof writes / sizeof *writes };

static bool needs_room(int number) {
  for (int i = 0; i < CALLS; i++)
    if (calls[i].number == number) return calls[i].room;
  return true;  // writes and creations
}

static void add(struct sock_filter *program, int *size, struct sock_filter line) { program[(*size)++] = line; }

// In the child: the kernel asks about these calls from here on. Returns the listener, or -1.
static int listen_to_calls(void) {
  struct sock_filter program[2 * CALLS + 8 * WRITES + 16];
  int size = 0;
  const struct sock_filter ask = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  add(program, &size, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
  for (int i = 0; i < CALLS; i++) {
    add(program, &size, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1));
    add(program, &size, ask);
  }
  for (int i = 0; i < WRITES; i++) {  // to the standard streams: allowed
    add(program, &size, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)writes[i], 0, 4));
    add(program, &size, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])));
    add(program, &size, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 0, 1));
    add(program, &size, ask);
    add(program, &size, allow);
  }
  add(program, &size, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3));
  add(program, &size, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])));
  add(program, &size, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1));
  add(program, &size, ask);
  add(program, &size, allow);
  struct sock_fprog filter = {(unsigned short)size, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
}

union room {
  char bytes[CMSG_SPACE(sizeof(int))];
  struct cmsghdr header;
};

static bool send_descriptor(int socket, int descriptor) {
  union room room = {{0}};
  struct iovec nothing = {&(char){0}, 1};
  struct msghdr message = {.msg_iov = &nothing, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
  room.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&room.header), &descriptor, sizeof descriptor);
  return sendmsg(socket, &message, 0) == 1;
}

static int receive_descriptor(int socket) {
  union room room;
  struct iovec nothing = {&(char){0}, 1};
  struct msghdr message = {.msg_iov = &nothing, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
  int descriptor = -1;
  if (recvmsg(socket, &message, 0) == 1 && message.msg_controllen)
    memcpy(&descriptor, CMSG_DATA(&room.header), sizeof descriptor);
  return descriptor;
}

static pid_t start(char **command, int *listener) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) exit(UNABLE);
  pid_t child = fork();
  if (child == 0) {
    int calls_listener = listen_to_calls();
    if (calls_listener < 0 || !send_descriptor(sockets[1], calls_listener)) _exit(UNABLE);
    close(calls_listener);
    execvp(command[0], command);
    _exit(127);
  }
  close(sockets[1]);
  *listener = child > 0 ? receive_descriptor(sockets[0]) : -1;
  close(sockets[0]);
  return child;
}

static int status_of(pid_t child) {
  int status;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct plan {
  bool kills, fills;
  long at, times;
};

// Answers every question until the command has ended; returns how many there were.
static long answer(pid_t child, int listener, struct plan plan) {
  long count = 0, failed = 0;
  struct pollfd waiting = {.fd = listener, .events = POLLIN};
  for (;;) {
    int ready = poll(&waiting, 1, -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || !(waiting.revents & POLLIN)) break;
    struct seccomp_notif question;
    memset(&question, 0, sizeof question);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) continue;
    count++;
    if (plan.kills && count == plan.at) {
      kill(child, SIGKILL);
      return count;
    }
    struct seccomp_notif_resp reply = {.id = question.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (plan.fills && count >= plan.at && failed < plan.times && needs_room(question.data.nr)) {
      failed++;
      reply = (struct seccomp_notif_resp){.id = question.id, .error = -ENOSPC};
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
  }
  return count;
}

static volatile pid_t running;

static void hand_on(int number) {
  if (running > 0) kill(running, number);
}

int main(int count, char **words) {
  struct plan plan = {0};
  bool counts = count > 2 && strcmp(words[1], "count") == 0;
  plan.kills = count > 3 && strcmp(words[1], "kill") == 0;
  plan.fills = count > 4 && strcmp(words[1], "full") == 0;
  if (!counts && !plan.kills && !plan.fills) return 2;
  int first = counts ? 2 : plan.kills ? 3 : 4, listener;
  if (!counts) plan.at = atol(words[2]);
  if (plan.fills) plan.times = atol(words[3]);
  pid_t child = start(words + first, &listener);
  if (listener < 0) return UNABLE;
  running = child;
  signal(SIGINT, hand_on);
  signal(SIGTERM, hand_on);
  long calls_made = answer(child, listener, plan);
  close(listener);
  int status = status_of(child);
  if (counts) printf("%ld\n", calls_made);
  if (plan.kills && calls_made < plan.at) return FEWER;
  return status;
}
