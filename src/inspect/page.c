#include "inspect/page.h"

#include "inspect/page_files.h"

// {"views":[...],"arrays":[...]} and the arrays' bytes.
static bool write_views(struct buffer *json, struct page_blob *blob, const struct page_subject *subjects, int count,
                        const struct page_detail *detail, const char *extra, struct error *error) {
  buffer_text(json, "{\"qkv\":\"" QKV_VERSION "\",\"views\":[");
  for (int i = 0; i < count; i++) {
    if (i) buffer_char(json, ',');
    if (!page_data_write(json, blob, &subjects[i], detail, error)) return false;
  }
  buffer_text(json, "],\"arrays\":[");
  buffer_append(json, buffer_string(&blob->list), blob->list.size);
  buffer_char(json, ']');
  if (extra) buffer_text(json, extra);
  return buffer_check(json, error);
}

// Inside of a script element "</script" and "<!--" would end or change it: in JSON a '<' may be written by its number.
static void append_as_script(struct buffer *html, const char *json) {
  for (const char *start = json; *start;) {
    const char *end = start;
    while (*end && *end != '<') end++;
    buffer_append(html, start, (size_t)(end - start));
    if (*end) buffer_text(html, "\\u003c");
    start = *end ? end + 1 : end;
  }
}

static void append_script(struct buffer *html, const char *code) {
  buffer_text(html, "<script>\n");
  buffer_text(html, code);
  buffer_text(html, "</script>\n");
}

static void append_page(struct buffer *html, const char *json, const struct page_blob *blob, const char *language,
                        const char *start) {
  buffer_format(html, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n", language);
  buffer_text(html, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>qkv</title>\n<style>\n");
  buffer_text(html, page_file_style_css);
  buffer_text(html, "</style>\n</head>\n");
  buffer_text(html, page_file_body_html);
  buffer_text(html, "<script type=\"application/json\" id=\"data\">");
  append_as_script(html, json);
  buffer_text(html, "</script>\n<script type=\"application/octet-stream;base64\" id=\"numbers\">");
  page_blob_base64(blob, html);
  buffer_text(html, "</script>\n");
  buffer_text(html, "<script type=\"application/json\" id=\"start\">\"");
  buffer_text(html, start);
  buffer_text(html, "\"</script>\n");
  for (const char *const *script = page_scripts; *script; script++) append_script(html, *script);
  buffer_text(html, "</html>\n");
}

bool page_write(struct buffer *html, const struct page_subject *subjects, int count, const struct page_detail *detail,
                const char *extra, const char *language, const char *start, struct error *error) {
  struct buffer json = {0};
  struct page_blob blob = {0};
  bool fine = write_views(&json, &blob, subjects, count, detail, extra, error);
  buffer_char(&json, '}');
  if (fine) append_page(html, buffer_string(&json), &blob, language, start);
  buffer_free(&json);
  page_blob_free(&blob);
  return fine && buffer_check(html, error);
}

bool page_write_json(struct buffer *json, const struct page_subject *subjects, int count, const struct page_detail *detail,
                     const char *extra, struct error *error) {
  struct page_blob blob = {0};
  struct page_detail plain = *detail;
  plain.plain = true;
  bool fine = write_views(json, &blob, subjects, count, &plain, extra, error);
  buffer_text(json, ",\"data\":\"");
  if (fine) page_blob_base64(&blob, json);
  buffer_text(json, "\"}\n");
  page_blob_free(&blob);
  return fine && buffer_check(json, error);
}
