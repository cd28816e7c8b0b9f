// What Swift's Glibc module lacks of Linux: epoll, eventfd, accept4, sendfile, preadv2.
//
// Every function returns what the system call returns, and -errno in place of -1, so that no caller
// has to read errno after something else may have changed it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LINUX_EVENT_READ 0x001u
#define LINUX_EVENT_WRITE 0x004u
#define LINUX_EVENT_ERROR 0x008u
#define LINUX_EVENT_HANGUP 0x010u

struct linux_event {
  uint32_t events;
  uint64_t data;
};

struct linux_address {
  // IPv6, or IPv4 mapped into it; in network order.
  uint64_t high;
  uint64_t low;
  uint16_t port;
};

int linux_epoll_create(void);
int linux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t data);
int linux_epoll_change(int epoll, int descriptor, uint32_t events, uint64_t data);
int linux_epoll_remove(int epoll, int descriptor);
// A negative timeout waits for ever. At most 256 events are returned.
int linux_epoll_wait(int epoll, struct linux_event *events, int count, int timeout_milliseconds);

// A counter that starts at 0; as a semaphore, each read takes one.
int linux_eventfd(void);
int linux_eventfd_semaphore(void);
// 1 when it can be read, 0 at the timeout.
int linux_poll_readable(int descriptor, int timeout_milliseconds);

// Non-blocking, closed on exec.
int linux_accept(int descriptor, struct linux_address *peer);
int linux_socket(int family, int type, int protocol);
int linux_socket_error(int descriptor);
int linux_local_port(int descriptor);
int linux_set_no_delay(int descriptor);
int linux_set_reuse_address(int descriptor);
int linux_set_both_families(int descriptor);
// Room for text: at least 46 bytes.
void linux_address_text(struct linux_address address, char *text, size_t size);

long linux_receive(int descriptor, void *bytes, size_t count);
// Fills the first range, then the second.
long linux_receive_two(int descriptor, void *first, size_t first_count, void *second, size_t second_count);
// Never raises SIGPIPE; more says that further bytes follow at once.
long linux_send(int descriptor, const void *bytes, size_t count, int more);
long linux_sendfile(int socket, int file, int64_t position, size_t count);
// Reads only what is in the page cache, and gives -EAGAIN for what is not.
long linux_read_resident(int file, void *bytes, size_t count, int64_t position);
long linux_read_at(int file, void *bytes, size_t count, int64_t position);

void linux_name_thread(const char *name);

// 1 when the other side of a connection has closed it.
int linux_is_hung_up(int descriptor);
// The IPv4 address of the other side, in host order; 0 for other families.
uint32_t linux_peer_ipv4(int descriptor);

// Starts a program in a process group of its own, with no input and with the descriptor as both outputs. It is killed
// when the thread that started it ends. The process id, or -errno, also where the program cannot be run.
int linux_spawn(const char *path, char *const arguments[], char *const environment[], const char *folder, int output);
// A descriptor that can be read once the process has ended.
int linux_process_descriptor(int process);
// Waits until one of two descriptors can be read: bit 0 for the first, bit 1 for the second (which may be -1).
int linux_poll_two(int first, int second, int timeout_milliseconds);

// Now in nanoseconds, on the monotonic clock, and in milliseconds, on the clock of the day: the system's, or those of
// the node that this thread simulates.
int64_t linux_monotonic_now(void);
int64_t linux_wall_now(void);

// What a thread simulates: the clocks of a node, and whoever takes the place of its threads and sockets. Nothing on a
// thread that simulates nothing.
struct linux_simulated {
  int64_t monotonic;
  int64_t wall;
  void *conductor;
};
struct linux_simulated linux_simulated_here(void);
void linux_simulate(struct linux_simulated simulated);
