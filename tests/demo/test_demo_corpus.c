// What ./demo.sh and its corpus claim: how much language it is, what is held out of the training, and that the forms are right.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "demo_corpus.h"

static const uint64_t seed = 1;
static const size_t wanted[SPLITS] = {24000, 400, 800};  // as qkv-demo-corpus has them
static struct corpus corpus;

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static const char **allocate(size_t count) {
  const char **list = malloc(count * sizeof *list);
  assert_non_null(list);
  return list;
}

// All English sentences (or all pairs' Spanish ones) of some splits, sorted.
static const char **sorted_sentences(enum split first, enum split last, bool english, size_t *count) {
  *count = 0;
  for (int split = first; split <= (int)last; split++) *count += corpus.counts[split];
  const char **list = allocate(*count);
  size_t filled = 0;
  for (int split = first; split <= (int)last; split++)
    for (size_t i = 0; i < corpus.counts[split]; i++)
      list[filled++] = english ? corpus.pairs[split][i].english : corpus.pairs[split][i].spanish;
  qsort(list, filled, sizeof *list, by_text);
  return list;
}

static void there_are_as_many_lemmas_as_claimed(void **state) {
  (void)state;
  size_t total = noun_count + adjective_count + verb_count;
  const char **lemmas = allocate(2 * total);
  size_t english = 0, spanish = 0;
  for (size_t i = 0; i < noun_count; i++) lemmas[english++] = nouns[i].english;
  for (size_t i = 0; i < adjective_count; i++) lemmas[english++] = adjectives[i].english;
  for (size_t i = 0; i < verb_count; i++) lemmas[english++] = verbs[i].english;
  for (size_t i = 0; i < noun_count; i++) lemmas[total + spanish++] = nouns[i].spanish;
  for (size_t i = 0; i < adjective_count; i++) lemmas[total + spanish++] = adjectives[i].masculine;
  for (size_t i = 0; i < verb_count; i++) lemmas[total + spanish++] = verbs[i].spanish;
  for (int side = 0; side < 2; side++) {
    const char **list = lemmas + (size_t)side * total;
    qsort(list, total, sizeof *list, by_text);
    size_t distinct = 1;
    for (size_t i = 1; i < total; i++) distinct += strcmp(list[i], list[i - 1]) != 0;
    assert_true(distinct >= 300);
  }
  free(lemmas);
}

// Also: no sentence is in two splits, and none has two translations.
static void pairs_are_distinct(void **state) {
  (void)state;
  size_t count;
  const char **english = sorted_sentences(TRAIN, TEST, true, &count);
  assert_true(count >= 20000);
  for (int split = 0; split < SPLITS; split++) assert_int_equal(corpus.counts[split], wanted[split]);
  for (size_t i = 1; i < count; i++)
    if (!strcmp(english[i], english[i - 1])) fail_msg("twice: %s", english[i]);
  free(english);
}

static size_t combination_index(const struct combination *combination) {
  size_t seconds = noun_count + verb_count + 1, firsts = subject_count() + adjective_count;
  size_t first = combination->kind == SUBJECT_VERB ? combination->first : subject_count() + combination->first;
  size_t second = combination->kind == SUBJECT_VERB ? combination->second : verb_count + 1 + combination->second;
  assert_true(first < firsts && second < seconds);
  return first * seconds + second;
}

static bool *combinations_of(enum split split) {
  bool *seen = calloc((subject_count() + adjective_count) * (noun_count + verb_count + 1), sizeof *seen);
  assert_non_null(seen);
  for (size_t i = 0; i < corpus.counts[split]; i++)
    for (size_t c = 0; c < corpus.pairs[split][i].combination_count; c++)
      seen[combination_index(&corpus.pairs[split][i].combinations[c])] = true;
  return seen;
}

// Every pair of test has a combination that occurs neither in train nor in valid; every one of valid, none of train.
static void held_out_combinations_are_not_in_training(void **state) {
  (void)state;
  bool *train = combinations_of(TRAIN), *valid = combinations_of(VALID);
  size_t kinds[2] = {0};
  for (int split = VALID; split <= TEST; split++) {
    for (size_t i = 0; i < corpus.counts[split]; i++) {
      const struct pair *pair = &corpus.pairs[split][i];
      size_t unseen = 0;
      for (size_t c = 0; c < pair->combination_count; c++) {
        const struct combination *combination = &pair->combinations[c];
        size_t index = combination_index(combination);
        bool held_out = combination_split(seed, combination) == (enum split)split;
        if (held_out && (train[index] || (split == TEST && valid[index]))) fail_msg("seen in training: %s", pair->english);
        unseen += held_out;
        if (split == TEST && held_out) kinds[combination->kind]++;
      }
      if (!unseen) fail_msg("nothing held out: %s", pair->english);
    }
  }
  assert_true(kinds[ADJECTIVE_NOUN] > 150);
  assert_true(kinds[SUBJECT_VERB] > 300);
  free(train);
  free(valid);
}

// The same without the grammar's own records: the words side by side in the text, in every inflection.
static void held_out_adjectives_stand_before_no_such_noun_in_training(void **state) {
  (void)state;
  struct buffer train = {0};
  for (size_t i = 0; i < corpus.counts[TRAIN]; i++) {
    buffer_char(&train, ' ');
    buffer_text(&train, corpus.pairs[TRAIN][i].english);
    char *end = train.data + train.size - 1;
    *end = ' ';
  }
  size_t checked = 0;
  for (size_t a = 0; a < adjective_count; a++) {
    for (size_t n = 0; n < noun_count; n++) {
      struct combination combination = {ADJECTIVE_NOUN, a, n};
      if (!(adjectives[a].classes & nouns[n].classes) || combination_split(seed, &combination) == TRAIN) continue;
      char plural[FORM], text[3 * FORM];
      const char *forms[] = {nouns[n].english, english_plural(plural, &nouns[n])};
      for (int form = 0; form < 2; form++) {
        snprintf(text, sizeof text, " %s %s ", adjectives[a].english, forms[form]);
        if (strstr(train.data, text)) fail_msg("in training:%s", text);
      }
      checked++;
    }
  }
  assert_true(checked > 100);
  buffer_free(&train);
}

// And subjects before their verbs: "the KING VERBS".
static void held_out_subjects_stand_before_no_such_verb_in_training(void **state) {
  (void)state;
  struct buffer train = {0};
  for (size_t i = 0; i < corpus.counts[TRAIN]; i++) {
    buffer_char(&train, ' ');
    buffer_text(&train, corpus.pairs[TRAIN][i].english);
    train.data[train.size - 1] = ' ';
  }
  size_t checked = 0;
  for (size_t n = 0; n < noun_count; n++) {
    for (size_t v = 0; v < verb_count; v++) {
      struct combination combination = {SUBJECT_VERB, n, v};
      if (!(verbs[v].subjects & nouns[n].classes) || combination_split(seed, &combination) == TRAIN) continue;
      char third[FORM], past[FORM], text[3 * FORM];
      if (verbs[v].particle) continue;  // the same word belongs to several verbs: look at, look for
      const char *forms[] = {english_third_person(third, &verbs[v]), english_past(past, &verbs[v])};
      for (int form = 0; form < 2; form++) {
        snprintf(text, sizeof text, " The %s %s ", nouns[n].english, forms[form]);
        if (strstr(train.data, text)) fail_msg("in training:%s", text);
      }
      checked++;
    }
  }
  assert_true(checked > 200);
  buffer_free(&train);
}

static bool has_word(const char *const *words, size_t count, const char *word) {
  return bsearch(&word, words, count, sizeof *words, by_text);
}

static size_t split_words(char *text, const char **words, size_t most) {
  size_t count = 0;
  for (char *at = text; *at && count < most;) {
    size_t skip = strspn(at, " .?\n");
    at += skip;
    if (!strncmp(at, "¿", 2)) at += 2;
    size_t size = strcspn(at, " .?\n");
    if (!size) break;
    words[count++] = at;
    at += size;
    if (*at) *at++ = 0;
  }
  return count;
}

static void every_word_of_the_test_is_taught(void **state) {
  (void)state;
  for (int side = 0; side < 2; side++) {
    struct buffer text = {0};
    for (size_t i = 0; i < corpus.counts[TRAIN]; i++) {
      buffer_text(&text, side ? corpus.pairs[TRAIN][i].english : corpus.pairs[TRAIN][i].spanish);
      buffer_char(&text, '\n');
    }
    const char **words = allocate(text.size);
    size_t count = split_words(text.data, words, text.size);
    assert_true(count > 100000);
    qsort(words, count, sizeof *words, by_text);
    for (int split = VALID; split <= TEST; split++) {
      for (size_t i = 0; i < corpus.counts[split]; i++) {
        char sentence[SENTENCE];
        const char *own[MOST_WORDS];
        strcpy(sentence, side ? corpus.pairs[split][i].english : corpus.pairs[split][i].spanish);
        size_t n = split_words(sentence, own, MOST_WORDS);
        assert_true(n > 0);
        for (size_t w = 0; w < n; w++)
          if (!has_word(words, count, own[w])) fail_msg("never taught: %s", own[w]);
      }
    }
    free(words);
    buffer_free(&text);
  }
}

// demo.sh shows how these are translated.
static void the_sentences_shown_are_unseen(void **state) {
  (void)state;
  static const char *const shown[] = {"The baker's fat bear looked for the lawyer.",
                                      "Does Lucía hug the old lawyer in the morning?"};
  for (size_t s = 0; s < sizeof shown / sizeof *shown; s++) {
    bool found = false;
    for (size_t i = 0; i < corpus.counts[TEST]; i++) found = found || !strcmp(corpus.pairs[TEST][i].english, shown[s]);
    if (!found) fail_msg("not in the test split, so choose another for demo.sh: %s", shown[s]);
  }
}

static size_t count_words(const char *text) {
  size_t count = 1;
  for (; *text; text++) count += *text == ' ';
  return count;
}

static void a_third_changes_order_or_count(void **state) {
  (void)state;
  size_t order = 0, number = 0, either = 0;
  for (size_t i = 0; i < corpus.counts[TRAIN]; i++) {
    const struct pair *pair = &corpus.pairs[TRAIN][i];
    assert_int_equal(count_words(pair->english), pair->english_words);
    assert_int_equal(count_words(pair->spanish), pair->spanish_words);
    bool differs = pair->english_words != pair->spanish_words;
    order += pair->crosses;
    number += differs;
    either += pair->crosses || differs;
  }
  assert_true(either * 3 >= corpus.counts[TRAIN]);
  assert_true(order * 4 >= corpus.counts[TRAIN]);
  assert_true(number * 4 >= corpus.counts[TRAIN]);
}

// What the language is made of occurs, on both sides.
static void the_grammar_is_all_there(void **state) {
  (void)state;
  static const char *const english[] = {
      " does not ", "Does ", "Did ", "Will ", " cannot ", " wants to ", "Who did ", "What ", "Where ", "Why ", "When ",
      "There is ", " who ", "'s ", " an ", " never ", " them", " very "};
  static const char *const spanish[] = {
      " no ", "¿", " al ", " del ", " el agua ", "l águila ", "n águila ", "águilas ", " gran ", " buen ", " lo ", " los ",
      " me ", " le ", " les ", " se ", "Me gusta ", " les gustan ", "Hay ", " de madera", " estaba ", " estaban ", " que ",
      "¿A quién ", "¿Por qué ", " construyeron ", " siguió ", "Veo "};
  for (int side = 0; side < 2; side++) {
    size_t n = side ? sizeof english / sizeof *english : sizeof spanish / sizeof *spanish;
    for (size_t i = 0; i < n; i++) {
      const char *part = side ? english[i] : spanish[i];
      bool found = false;
      for (size_t p = 0; !found && p < corpus.counts[TRAIN]; p++)
        found = strstr(side ? corpus.pairs[TRAIN][p].english : corpus.pairs[TRAIN][p].spanish, part);
      if (!found) fail_msg("does not occur: \"%s\"", part);
    }
  }
}

static const struct verb *verb_named(const char *spanish) {
  for (size_t i = 0; i < verb_count; i++)
    if (!strcmp(verbs[i].spanish, spanish)) return &verbs[i];
  fail_msg("no verb %s", spanish);
  return NULL;
}

static void verbs_are_conjugated(void **state) {
  (void)state;
  static const struct {
    const char *verb;
    enum tense tense;
    const char *forms[PERSONS];
  } cases[] = {
      {"comprar", PRESENT, {"compro", "compras", "compra", "compramos", "compran"}},
      {"vender", PAST, {"vendí", "vendiste", "vendió", "vendimos", "vendieron"}},
      {"vivir", FUTURE, {"viviré", "vivirás", "vivirá", "viviremos", "vivirán"}},
      {"ver", PRESENT, {"veo", "ves", "ve", "vemos", "ven"}},
      {"ver", PAST, {"vi", "viste", "vio", "vimos", "vieron"}},
      {"oír", PRESENT, {"oigo", "oyes", "oye", "oímos", "oyen"}},
      {"oír", PAST, {"oí", "oíste", "oyó", "oímos", "oyeron"}},
      {"oír", FUTURE, {"oiré", "oirás", "oirá", "oiremos", "oirán"}},
      {"leer", PAST, {"leí", "leíste", "leyó", "leímos", "leyeron"}},
      {"construir", PRESENT, {"construyo", "construyes", "construye", "construimos", "construyen"}},
      {"construir", PAST, {"construí", "construiste", "construyó", "construimos", "construyeron"}},
      {"seguir", PRESENT, {"sigo", "sigues", "sigue", "seguimos", "siguen"}},
      {"seguir", PAST, {"seguí", "seguiste", "siguió", "seguimos", "siguieron"}},
      {"elegir", PRESENT, {"elijo", "eliges", "elige", "elegimos", "eligen"}},
      {"elegir", PAST, {"elegí", "elegiste", "eligió", "elegimos", "eligieron"}},
      {"proteger", PRESENT, {"protejo", "proteges", "protege", "protegemos", "protegen"}},
      {"traducir", PRESENT, {"traduzco", "traduces", "traduce", "traducimos", "traducen"}},
      {"traducir", PAST, {"traduje", "tradujiste", "tradujo", "tradujimos", "tradujeron"}},
      {"traer", PRESENT, {"traigo", "traes", "trae", "traemos", "traen"}},
      {"encontrar", PRESENT, {"encuentro", "encuentras", "encuentra", "encontramos", "encuentran"}},
      {"cerrar", PRESENT, {"cierro", "cierras", "cierra", "cerramos", "cierran"}},
      {"dormir", PRESENT, {"duermo", "duermes", "duerme", "dormimos", "duermen"}},
      {"dormir", PAST, {"dormí", "dormiste", "durmió", "dormimos", "durmieron"}},
      {"buscar", PAST, {"busqué", "buscaste", "buscó", "buscamos", "buscaron"}},
      {"llegar", PAST, {"llegué", "llegaste", "llegó", "llegamos", "llegaron"}},
      {"abrazar", PAST, {"abracé", "abrazaste", "abrazó", "abrazamos", "abrazaron"}},
      {"enviar", PRESENT, {"envío", "envías", "envía", "enviamos", "envían"}},
      {"dar", PRESENT, {"doy", "das", "da", "damos", "dan"}},
      {"dar", PAST, {"di", "diste", "dio", "dimos", "dieron"}},
      {"ir", PRESENT, {"voy", "vas", "va", "vamos", "van"}},
      {"ir", PAST, {"fui", "fuiste", "fue", "fuimos", "fueron"}},
      {"venir", PRESENT, {"vengo", "vienes", "viene", "venimos", "vienen"}},
      {"venir", FUTURE, {"vendré", "vendrás", "vendrá", "vendremos", "vendrán"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int person = 0; person < PERSONS; person++) {
      char form[FORM];
      const struct verb *verb = verb_named(cases[i].verb);
      assert_string_equal(spanish_verb(form, verb, cases[i].tense, (enum person)person), cases[i].forms[person]);
    }
  }
}

static void nouns_and_adjectives_are_inflected(void **state) {
  (void)state;
  static const char *const plurals[][2] = {
      {"lápiz", "lápices"}, {"autobús", "autobuses"}, {"canción", "canciones"}, {"rey", "reyes"}, {"paraguas", "paraguas"},
      {"café", "cafés"}, {"jardín", "jardines"}, {"árbol", "árboles"}, {"capitán", "capitanes"}, {"juez", "jueces"},
      {"reloj", "relojes"}};
  static const char *const inflected[][5] = {{"young", "joven", "joven", "jóvenes", "jóvenes"},
                                             {"English", "inglés", "inglesa", "ingleses", "inglesas"},
                                             {"German", "alemán", "alemana", "alemanes", "alemanas"},
                                             {"brown", "marrón", "marrón", "marrones", "marrones"},
                                             {"happy", "feliz", "feliz", "felices", "felices"},
                                             {"Spanish", "español", "española", "españoles", "españolas"},
                                             {"blue", "azul", "azul", "azules", "azules"},
                                             {"red", "rojo", "roja", "rojos", "rojas"},
                                             {"wooden", "de madera", "de madera", "de madera", "de madera"}};
  char form[FORM];
  for (size_t i = 0; i < sizeof plurals / sizeof *plurals; i++) {
    size_t n = 0;
    while (n < noun_count && strcmp(nouns[n].spanish, plurals[i][0])) n++;
    assert_true(n < noun_count);
    assert_string_equal(spanish_noun(form, &nouns[n], true), plurals[i][1]);
  }
  for (size_t i = 0; i < sizeof inflected / sizeof *inflected; i++) {
    size_t a = 0;
    while (a < adjective_count && strcmp(adjectives[a].english, inflected[i][0])) a++;
    assert_true(a < adjective_count);
    for (int k = 0; k < 4; k++) {
      struct agreement agreement = {k % 2 ? FEMININE : MASCULINE, k >= 2};
      assert_string_equal(spanish_adjective(form, &adjectives[a], agreement, false), inflected[i][1 + k]);
    }
  }
}

static void the_seed_decides_everything(void **state) {
  (void)state;
  static const size_t few[SPLITS] = {2000, 20, 20};
  struct corpus twice[3];
  struct error error = {0};
  for (int i = 0; i < 3; i++) assert_true(corpus_make(&twice[i], i < 2 ? 5 : 6, few, &error));
  size_t same = 0;
  for (size_t i = 0; i < few[TRAIN]; i++) {
    assert_string_equal(twice[0].pairs[TRAIN][i].spanish, twice[1].pairs[TRAIN][i].spanish);
    same += !strcmp(twice[0].pairs[TRAIN][i].spanish, twice[2].pairs[TRAIN][i].spanish);
  }
  assert_true(same < few[TRAIN] / 10);
  for (int i = 0; i < 3; i++) corpus_free(&twice[i]);
}

static void files_hold_a_sentence_a_line(void **state) {
  (void)state;
  static const size_t few[SPLITS] = {50, 5, 5};
  char directory[] = "/tmp/qkv-demo-XXXXXX", path[4096];
  assert_non_null(mkdtemp(directory));
  struct corpus small;
  struct error error = {0};
  assert_true(corpus_make(&small, 1, few, &error));
  assert_true(corpus_write(&small, directory, &error));
  struct buffer content = {0};
  assert_true(file_read(&content, file_join(path, directory, "train.es"), &error));
  size_t lines = 0;
  for (size_t i = 0; i < content.size; i++) lines += content.data[i] == '\n';
  assert_int_equal(lines, 50);
  assert_memory_equal(content.data, small.pairs[TRAIN][0].spanish, strlen(small.pairs[TRAIN][0].spanish));
  buffer_free(&content);
  corpus_free(&small);
  static const char *const names_written[] = {"train.en", "train.es", "valid.en", "valid.es", "test.en", "test.es"};
  for (int i = 0; i < 6; i++) assert_int_equal(remove(file_join(path, directory, names_written[i])), 0);
  assert_int_equal(remove(directory), 0);
}

static void asking_for_too_much_is_an_error(void **state) {
  (void)state;
  static const size_t few[SPLITS] = {0, 0, 10};  // without training there is no word for the test
  struct corpus none;
  struct error error = {0};
  assert_false(corpus_make(&none, 1, few, &error));
  assert_int_equal(error.code, ERROR_USAGE);
}

static int make(void **state) {
  (void)state;
  struct error error = {0};
  return corpus_make(&corpus, seed, wanted, &error) ? 0 : -1;
}

static int discard(void **state) {
  (void)state;
  corpus_free(&corpus);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_are_as_many_lemmas_as_claimed),
      cmocka_unit_test(pairs_are_distinct),
      cmocka_unit_test(held_out_combinations_are_not_in_training),
      cmocka_unit_test(held_out_adjectives_stand_before_no_such_noun_in_training),
      cmocka_unit_test(held_out_subjects_stand_before_no_such_verb_in_training),
      cmocka_unit_test(every_word_of_the_test_is_taught),
      cmocka_unit_test(the_sentences_shown_are_unseen),
      cmocka_unit_test(a_third_changes_order_or_count),
      cmocka_unit_test(the_grammar_is_all_there),
      cmocka_unit_test(verbs_are_conjugated),
      cmocka_unit_test(nouns_and_adjectives_are_inflected),
      cmocka_unit_test(the_seed_decides_everything),
      cmocka_unit_test(files_hold_a_sentence_a_line),
      cmocka_unit_test(asking_for_too_much_is_an_error),
  };
  return cmocka_run_group_tests(tests, make, discard);
}
