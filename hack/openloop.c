// Produces at a fixed rate, whatever the broker does, and prints how long records took until they were acknowledged.
//
// usage: openloop BOOTSTRAP TOPIC PARTITIONS BYTES RATE WARM_SECONDS SECONDS [key=value ...]
//
// The time of a record begins when the schedule says that it is due, not when it is sent: a broker that stalls delays
// also what comes after, and is charged for it (no coordinated omission). With RATE 0 records are sent as fast as they
// are taken, which is for finding the highest rate; the times then say nothing.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rdkafka.h"

// Buckets: microseconds exactly up to 1024, then 512 for each power of two. What is longer is in the last.
enum { HALF = 512, BUCKETS = HALF * 24 };

static uint64_t counts[BUCKETS];
static uint64_t acknowledged, failed, acknowledged_warm;
static uint64_t answered;  // between measure_from and end, whenever they were due
static int64_t longest, begin, measure_from, end;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int bucket(uint64_t us) {
  int power = 0;
  while ((us >> power) >= 2 * HALF) power++;
  int index = power == 0 ? (int)us : (power + 1) * HALF + (int)((us >> power) - HALF);
  return index < BUCKETS ? index : BUCKETS - 1;
}

static double upper_ms(int index) {
  if (index < 2 * HALF) return index / 1000.0;
  int power = index / HALF - 1;
  return (double)(((uint64_t)(index % HALF + HALF + 1) << power) - 1) / 1000.0;
}

static double percentile(double share) {
  uint64_t total = acknowledged, seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += counts[i];
    if (seen && (double)seen >= share * (double)total) return upper_ms(i);
  }
  return 0;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer;
  (void)opaque;
  int64_t due = (int64_t)(intptr_t)message->_private;
  if (message->err) {
    failed++;
    return;
  }
  int64_t now = now_ns();
  if (now >= measure_from && now < end) answered++;
  if (due < measure_from) {
    acknowledged_warm++;
    return;
  }
  int64_t took = now - due;
  if (took > longest) longest = took;
  counts[bucket((uint64_t)(took / 1000))]++;
  acknowledged++;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, key, value, error, sizeof error) == RD_KAFKA_CONF_OK) return;
  fprintf(stderr, "openloop: %s=%s: %s\n", key, value, error);
  exit(2);
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: openloop BOOTSTRAP TOPIC PARTITIONS BYTES RATE WARM_SECONDS SECONDS [key=value ...]\n");
    return 2;
  }
  int partitions = atoi(argv[3]), size = atoi(argv[4]);
  double rate = atof(argv[5]), warm = atof(argv[6]), seconds = atof(argv[7]);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[1]);
  set(conf, "queue.buffering.max.messages", rate > 0 ? "10000000" : "100000");
  set(conf, "queue.buffering.max.kbytes", "2000000");
  for (int i = 8; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (!value) return 2;
    *value++ = 0;
    set(conf, argv[i], value);
  }
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  char error[256];
  rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (!producer) {
    fprintf(stderr, "openloop: %s\n", error);
    return 2;
  }
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[2], NULL);
  char *payload = malloc((size_t)size);
  // What cannot be compressed, so that nothing on the way is tempted.
  for (int i = 0; i < size; i++) payload[i] = (char)rand();

  begin = now_ns();
  measure_from = begin + (int64_t)(warm * 1e9);
  end = measure_from + (int64_t)(seconds * 1e9);
  uint64_t sent = 0, refused = 0;
  for (;;) {
    int64_t now = now_ns();
    if (now >= end) break;
    uint64_t due = rate > 0 ? (uint64_t)((double)(now - begin) / 1e9 * rate) : sent + 1000;
    while (sent < due) {
      int64_t when = rate > 0 ? begin + (int64_t)((double)sent / rate * 1e9) : now;
      if (rd_kafka_produce(topic, (int32_t)(sent % (uint64_t)partitions), RD_KAFKA_MSG_F_COPY, payload, (size_t)size,
                           NULL, 0, (void *)(intptr_t)when) != 0) {
        // The queue is full: the record stays due, and its time goes on.
        refused++;
        rd_kafka_poll(producer, 1);
        break;
      }
      sent++;
      if (sent % 1000 == 0) rd_kafka_poll(producer, 0);
    }
    rd_kafka_poll(producer, rate > 0 ? 1 : 0);
  }
  rd_kafka_flush(producer, 60000);
  uint64_t unanswered = sent - acknowledged - acknowledged_warm - failed;
  printf("{\"sent\": %lu, \"rate\": %.1f, \"failed\": %lu, \"unanswered\": %lu, \"refused\": %lu, \"p50\": %.3f, "
         "\"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}\n",
         sent, (double)answered / seconds, failed, unanswered, refused, percentile(0.5), percentile(0.99),
         percentile(0.999), (double)longest / 1e6);
  return 0;
}
