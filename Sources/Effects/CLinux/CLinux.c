#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Static_assert(LINUX_EVENT_READ == EPOLLIN, "EPOLLIN");
_Static_assert(LINUX_EVENT_WRITE == EPOLLOUT, "EPOLLOUT");
_Static_assert(LINUX_EVENT_ERROR == EPOLLERR, "EPOLLERR");
_Static_assert(LINUX_EVENT_HANGUP == EPOLLHUP, "EPOLLHUP");

static inline long result(long value) { return value < 0 ? -errno : value; }

int linux_epoll_create(void) { return (int)result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return (int)result(epoll_ctl(epoll, operation, descriptor, &event));
}
int linux_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t data) {
  return control(epoll, EPOLL_CTL_ADD, descriptor, events, data);
}
int linux_epoll_change(int epoll, int descriptor, uint32_t events, uint64_t data) {
  return control(epoll, EPOLL_CTL_MOD, descriptor, events, data);
}
int linux_epoll_remove(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int linux_epoll_wait(int epoll, struct linux_event *events, int count, int timeout_milliseconds) {
  struct epoll_event ready[256];
  if (count > 256) count = 256;
  int found = epoll_wait(epoll, ready, count, timeout_milliseconds);
  if (found < 0) return -errno;
  for (int i = 0; i < found; i++) {
    events[i].events = ready[i].events;
    events[i].data = ready[i].data.u64;
  }
  return found;
}

int linux_eventfd(void) { return (int)result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
int linux_eventfd_semaphore(void) { return (int)result(eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)); }

int linux_poll_readable(int descriptor, int timeout_milliseconds) {
  struct pollfd entry = {.fd = descriptor, .events = POLLIN};
  return (int)result(poll(&entry, 1, timeout_milliseconds));
}

static void read_address(const struct sockaddr_storage *from, struct linux_address *to) {
  unsigned char bytes[16] = {0};
  to->port = 0;
  if (from->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    memcpy(bytes, &six->sin6_addr, 16);
    to->port = ntohs(six->sin6_port);
  } else if (from->ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    bytes[10] = bytes[11] = 0xff;
    memcpy(bytes + 12, &four->sin_addr, 4);
    to->port = ntohs(four->sin_port);
  }
  memcpy(&to->high, bytes, 8);
  memcpy(&to->low, bytes + 8, 8);
}

int linux_accept(int descriptor, struct linux_address *peer) {
  struct sockaddr_storage from = {0};
  socklen_t size = sizeof from;
  int accepted = accept4(descriptor, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) return -errno;
  read_address(&from, peer);
  return accepted;
}

int linux_socket(int family, int type, int protocol) {
  return (int)result(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int linux_socket_error(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return errno;
  return error;
}

int linux_local_port(int descriptor) {
  struct sockaddr_storage bound = {0};
  socklen_t size = sizeof bound;
  struct linux_address address;
  if (getsockname(descriptor, (struct sockaddr *)&bound, &size) < 0) return -errno;
  read_address(&bound, &address);
  return address.port;
}

static int set(int descriptor, int level, int option, int value) {
  return (int)result(setsockopt(descriptor, level, option, &value, sizeof value));
}
int linux_set_no_delay(int descriptor) { return set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1); }
int linux_set_reuse_address(int descriptor) { return set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1); }
int linux_set_both_families(int descriptor) { return set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0); }

void linux_address_text(struct linux_address address, char *text, size_t size) {
  unsigned char bytes[16];
  memcpy(bytes, &address.high, 8);
  memcpy(bytes + 8, &address.low, 8);
  static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
  text[0] = 0;
  if (memcmp(bytes, mapped, 12) == 0) {
    inet_ntop(AF_INET, bytes + 12, text, (socklen_t)size);
  } else {
    inet_ntop(AF_INET6, bytes, text, (socklen_t)size);
  }
}

long linux_receive(int descriptor, void *bytes, size_t count) { return result(recv(descriptor, bytes, count, 0)); }

long linux_receive_two(int descriptor, void *first, size_t first_count, void *second, size_t second_count) {
  struct iovec ranges[2] = {{first, first_count}, {second, second_count}};
  return result(readv(descriptor, ranges, 2));
}

long linux_send(int descriptor, const void *bytes, size_t count, int more) {
  return result(send(descriptor, bytes, count, MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
}

long linux_sendfile(int socket, int file, int64_t position, size_t count) {
  off_t from = position;
  return result(sendfile(socket, file, &from, count));
}

long linux_read_resident(int file, void *bytes, size_t count, int64_t position) {
  struct iovec range = {bytes, count};
  return result(preadv2(file, &range, 1, position, RWF_NOWAIT));
}

long linux_read_at(int file, void *bytes, size_t count, int64_t position) {
  return result(pread(file, bytes, count, position));
}

void linux_name_thread(const char *name) {
  // The kernel refuses more than 15 characters.
  char cut[16] = {0};
  strncpy(cut, name, 15);
  pthread_setname_np(pthread_self(), cut);
}

int linux_is_hung_up(int descriptor) {
  struct pollfd entry = {.fd = descriptor, .events = POLLRDHUP};
  return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

uint32_t linux_peer_ipv4(int descriptor) {
  struct sockaddr_in address;
  socklen_t size = sizeof(address);
  if (getpeername(descriptor, (struct sockaddr *)&address, &size) != 0 || address.sin_family != AF_INET) return 0;
  return ntohl(address.sin_addr.s_addr);
}

// In the child only functions that are safe after fork are called; what fails is told through the pipe, which a
// program that runs closes.
static void run_child(pid_t parent, int failure, const char *path, char *const arguments[], char *const environment[],
                      const char *folder, int output) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  setpgid(0, 0);
  int ok = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
  int input = open("/dev/null", O_RDONLY);
  ok = ok && input >= 0 && dup2(input, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0;
  ok = ok && (folder == NULL || chdir(folder) == 0);
  if (ok) execve(path, arguments, environment);
  int code = errno ? errno : ECHILD;
  ssize_t written = write(failure, &code, sizeof(code));
  _exit(written == sizeof(code) ? 127 : 126);
}

int linux_spawn(const char *path, char *const arguments[], char *const environment[], const char *folder, int output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) run_child(parent, ends[1], path, arguments, environment, folder, output);
  int code = child < 0 ? errno : 0;
  close(ends[1]);
  ssize_t count = 0;
  if (child > 0) {
    do count = read(ends[0], &code, sizeof(code));
    while (count < 0 && errno == EINTR);
  }
  close(ends[0]);
  if (child < 0) return -code;
  if (count == sizeof(code)) {
    waitpid(child, NULL, 0);
    return -code;
  }
  return (int)child;
}

int linux_process_descriptor(int process) { return (int)result(syscall(SYS_pidfd_open, process, 0)); }

int linux_poll_two(int first, int second, int timeout_milliseconds) {
  struct pollfd entries[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
  if (poll(entries, 2, timeout_milliseconds) <= 0) return 0;
  return (entries[0].revents ? 1 : 0) | (entries[1].revents ? 2 : 0);
}

static _Thread_local struct linux_simulated simulated;

int64_t linux_monotonic_now(void) {
  if (__builtin_expect(simulated.conductor != NULL, 0)) return simulated.monotonic;
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t linux_wall_now(void) {
  if (__builtin_expect(simulated.conductor != NULL, 0)) return simulated.wall;
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

struct linux_simulated linux_simulated_here(void) { return simulated; }

void linux_simulate(struct linux_simulated other) { simulated = other; }
