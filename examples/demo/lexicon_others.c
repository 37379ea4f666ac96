#include "lexicon.h"

const struct name names[] = {
    {"Ana", FEMININE},   {"María", FEMININE}, {"Elena", FEMININE},  {"Lucía", FEMININE},  {"Marta", FEMININE},
    {"Sofía", FEMININE}, {"Pedro", MASCULINE}, {"Juan", MASCULINE}, {"Carlos", MASCULINE}, {"Pablo", MASCULINE},
    {"Luis", MASCULINE}, {"Diego", MASCULINE},
};
const size_t name_count = sizeof names / sizeof *names;

const struct adverb adverbs[] = {
    {"today", "hoy", ANY_TIME, true},
    {"now", "ahora", 1 << PRESENT, true},
    {"yesterday", "ayer", 1 << PAST, true},
    {"last week", "la semana pasada", 1 << PAST, true},
    {"tomorrow", "mañana", 1 << FUTURE, true},
    {"tonight", "esta noche", 1 << FUTURE, true},
    {"next year", "el próximo año", 1 << FUTURE, true},
    {"every day", "todos los días", 1 << PRESENT},
    {"on Monday", "el lunes", 1 << PAST | 1 << FUTURE, true},
    {"on Friday", "el viernes", 1 << PAST | 1 << FUTURE, true},
    {"on Sunday", "el domingo", 1 << PAST | 1 << FUTURE, true},
    {"in the morning", "por la mañana", ANY_TIME, true},
    {"at night", "por la noche", ANY_TIME, true},
    {"here", "aquí", ANY_TIME},
    {"there", "allí", ANY_TIME},
    {"well", "bien", ANY_TIME, .manner = true},
    {"badly", "mal", ANY_TIME, .manner = true},
    {"slowly", "lentamente", ANY_TIME, .manner = true},
    {"quickly", "rápidamente", ANY_TIME, .manner = true},
    {"a lot", "mucho", ANY_TIME, .manner = true},
};
const size_t adverb_count = sizeof adverbs / sizeof *adverbs;

const struct preposition prepositions[] = {
    {"in", "en", INSIDE},
    {"near", "cerca de", PLACE | FURNITURE},
    {"behind", "detrás de", BUILDING | FURNITURE | PLANT},
    {"under", "debajo de", FURNITURE | PLANT},
    {"on", "en", FURNITURE | SURFACE},
    {"next to", "al lado de", PLACE | FURNITURE | PERSON | PLANT},
    {"with", "con", PERSON},
    {"without", "sin", PERSON},
};
const size_t preposition_count = sizeof prepositions / sizeof *prepositions;

const struct determiner determiners[] = {
    {"the", "the", {"el", "la", "los", "las"}, "el", BOTH_NUMBERS, DEFINITE, true, 40},
    {"a", "some", {"un", "una", "unos", "unas"}, "un", BOTH_NUMBERS, INDEFINITE, false, 20},
    {"my", "my", {"mi", "mi", "mis", "mis"}, NULL, BOTH_NUMBERS, DEFINITE, true, 6},
    {"your", "your", {"tu", "tu", "tus", "tus"}, NULL, BOTH_NUMBERS, DEFINITE, true, 4},
    {"his", "his", {"su", "su", "sus", "sus"}, NULL, BOTH_NUMBERS, DEFINITE, true, 3},
    {"her", "her", {"su", "su", "sus", "sus"}, NULL, BOTH_NUMBERS, DEFINITE, true, 3},
    {"our", "our", {"nuestro", "nuestra", "nuestros", "nuestras"}, NULL, BOTH_NUMBERS, DEFINITE, true, 4},
    {"this", "these", {"este", "esta", "estos", "estas"}, NULL, BOTH_NUMBERS, DEFINITE, true, 5},
    {"that", "those", {"ese", "esa", "esos", "esas"}, NULL, BOTH_NUMBERS, DEFINITE, true, 5},
    {"another", NULL, {"otro", "otra", NULL, NULL}, NULL, SINGULAR_ONLY, INDEFINITE, false, 2},
    {"every", NULL, {"cada", "cada", NULL, NULL}, NULL, SINGULAR_ONLY, UNIVERSAL, false, 2},
    {NULL, "many", {NULL, NULL, "muchos", "muchas"}, NULL, PLURAL_ONLY, INDEFINITE, false, 4},
    {NULL, "two", {NULL, NULL, "dos", "dos"}, NULL, PLURAL_ONLY, INDEFINITE, false, 3},
    {NULL, "three", {NULL, NULL, "tres", "tres"}, NULL, PLURAL_ONLY, INDEFINITE, false, 3},
};
const size_t determiner_count = sizeof determiners / sizeof *determiners;
