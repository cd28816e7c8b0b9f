#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

// Swift cannot call functions of variable arguments, so each kind of option has a function here.

static inline CURLcode curl_set_number(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}
// The text is copied.
static inline CURLcode curl_set_text(CURL *easy, CURLoption option, const char *text) {
  return curl_easy_setopt(easy, option, text);
}
// The bytes are copied.
static inline CURLcode curl_set_bytes(CURL *easy, CURLoption option, const void *bytes, size_t count) {
  struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
  return curl_easy_setopt(easy, option, &blob);
}
// The body of a request; it is copied.
static inline CURLcode curl_set_body(CURL *easy, const void *bytes, size_t count) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
  return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes);
}
// The list must outlive the transfer.
static inline CURLcode curl_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
  return curl_easy_setopt(easy, option, list);
}
// Bytes that libcurl gives or wants: returns how many were taken or given.
typedef size_t (*curl_received)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode curl_set_receivers(CURL *easy, curl_received header, curl_received body, void *context) {
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
  return curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
}
// A body that is asked for piece by piece, and of which there is no second copy: libcurl then cannot send it twice.
static inline CURLcode curl_set_body_once(CURL *easy, curl_received give, size_t count, void *context) {
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
  curl_easy_setopt(easy, CURLOPT_READDATA, context);
  return curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
}
static inline CURLcode curl_set_private(CURL *easy, void *context) {
  return curl_easy_setopt(easy, CURLOPT_PRIVATE, context);
}
static inline void *curl_get_private(CURL *easy) {
  char *context = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context);
  return context;
}
// At least CURL_ERROR_SIZE bytes that outlive the transfer.
static inline CURLcode curl_set_error_text(CURL *easy, char *text) {
  return curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
}
static inline long curl_status(CURL *easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// What was sent and is not acknowledged for so long breaks the connection: keep-alive alone never notices a peer that
// went away while something was under way.
static inline int curl_shim_socket_options(void *milliseconds, curl_socket_t socket, curlsocktype purpose) {
  unsigned int limit = (unsigned int)(size_t)milliseconds;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
  return CURL_SOCKOPT_OK;
}
static inline CURLcode curl_set_unacknowledged_limit(CURL *easy, unsigned int milliseconds) {
  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, (void *)(size_t)milliseconds);
  return curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, curl_shim_socket_options);
}

// Many requests share one HTTP/2 connection.
static inline CURLM *curl_make_multi(void) {
  CURLM *multi = curl_multi_init();
  if (multi) curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  return multi;
}
// Waits for the transfers, for their timers, or until the descriptor can be read.
static inline CURLMcode curl_wait(CURLM *multi, int descriptor, int timeout_milliseconds) {
  struct curl_waitfd extra = {descriptor, CURL_WAIT_POLLIN, 0};
  return curl_multi_poll(multi, &extra, 1, timeout_milliseconds, NULL);
}
// The next transfer that has ended, or NULL.
static inline CURL *curl_next_ended(CURLM *multi, CURLcode *result) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left))) {
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return message->easy_handle;
    }
  }
  return NULL;
}
