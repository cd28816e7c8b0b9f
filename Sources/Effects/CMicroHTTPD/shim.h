#include <microhttpd.h>

// Swift cannot call functions of variable arguments, so the options have a place each here.

// Serves from one thread of the library's own, on a socket that listens already; the daemon closes it.
// NULL when it cannot start.
static inline struct MHD_Daemon *microhttpd_start(int listening_socket, unsigned int connections_max,
                                                  unsigned int connections_per_address_max,
                                                  unsigned int timeout_seconds, size_t memory_per_connection,
                                                  MHD_AccessHandlerCallback handler, void *handler_context) {
  return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handler, handler_context,
                          MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listening_socket, MHD_OPTION_CONNECTION_LIMIT,
                          connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, connections_per_address_max,
                          MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                          memory_per_connection, MHD_OPTION_END);
}

// Serves each connection from a thread of its own, whose handler may wait. `completed` hears the end of every request.
// NULL when it cannot start.
static inline struct MHD_Daemon *microhttpd_start_waiting(
    int listening_socket, unsigned int connections_max, unsigned int timeout_seconds, size_t memory_per_connection,
    size_t stack_bytes, MHD_AccessHandlerCallback handler, void *handler_context,
    MHD_RequestCompletedCallback completed) {
  return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC,
                          0, NULL, NULL, handler, handler_context, MHD_OPTION_LISTEN_SOCKET,
                          (MHD_socket)listening_socket, MHD_OPTION_CONNECTION_LIMIT, connections_max,
                          MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                          memory_per_connection, MHD_OPTION_THREAD_STACK_SIZE, stack_bytes,
                          MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
}

// The socket of a connection; -1 when it is not known.
static inline int microhttpd_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? (int)info->connect_fd : -1;
}
