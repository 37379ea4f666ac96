// The engine behind files, standard input, the library and later the server: any number of sentences or prompts in, what is
// found for them out in the same order. They are sorted by length and handed to workers, each with a running batch of its own;
// with few of them one worker uses all threads inside its kernels.
#pragma once
#include "generate/search.h"

struct session;

// Models and options stay the caller's and must not change meanwhile. NULL and error set on failure.
struct session *session_open(const struct model *const *models, int count, const struct generation_options *options,
                             struct error *error);
// Bytes that a session on these kernels takes at most while it works on so many requests of at most `longest` tokens (source and
// prefix).
size_t session_memory(const struct model *model, const struct kernels *kernels, const struct generation_options *options,
                      size_t requests, int longest);
void session_close(struct session *session);
// results[i] belongs to requests[i]; the caller frees each. On failure all results are NULL.
bool session_run(struct session *session, const struct generation_request *requests, size_t count, struct generation **results,
                 struct error *error);
