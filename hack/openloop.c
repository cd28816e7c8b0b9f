// Produces at a fixed rate, whatever the broker does, and prints how long records took until they were acknowledged.
//
// usage: openloop BOOTSTRAP TOPIC PARTITIONS BYTES RATE WARM_SECONDS SECONDS [key=value ...]
//
// The time of a record begins when the schedule says that it is due, not when it is sent: a broker that stalls delays
// also what comes after, and is charged for it (no coordinated omission). With RATE 0 records are sent as fast as they
// are taken, which is for finding the highest rate; the times then say nothing.
//
// With read=BOOTSTRAP among the settings, the times are until a consumer has got the record there, which may be another
// cluster, and the rate is that at which it gets them.

#include <pthread.h>
#include <stdatomic.h>
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
static rd_kafka_t *reader;
static uint64_t wanted;  // acknowledged records that the reader is to get
static atomic_ulong got;
static atomic_bool is_over;

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

static void arrived(int64_t due, int64_t now) {
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

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer;
  (void)opaque;
  int64_t due = (int64_t)(intptr_t)message->_private;
  if (message->err) {
    failed++;
  } else if (reader) {
    if (due >= measure_from) wanted++;
  } else {
    arrived(due, now_ns());
  }
}

// The time at which a record was due is in its first bytes.
static void *read_all(void *unused) {
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(reader);
  rd_kafka_message_t *messages[1000];
  while (!atomic_load(&is_over)) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 10, messages, 1000);
    int64_t now = now_ns();
    for (ssize_t i = 0; i < count; i++) {
      int64_t due;
      if (!messages[i]->err && messages[i]->len >= sizeof due) {
        memcpy(&due, messages[i]->payload, sizeof due);
        arrived(due, now);
        if (due >= measure_from) atomic_fetch_add(&got, 1);
      }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  rd_kafka_queue_destroy(queue);
  return unused;
}


static void set(rd_kafka_conf_t *conf, const char *key, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, key, value, error, sizeof error) == RD_KAFKA_CONF_OK) return;
  fprintf(stderr, "openloop: %s=%s: %s\n", key, value, error);
  exit(2);
}

static void read_at(const char *bootstrap, const char *topic, int partitions) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "group.id", "openloop");
  set(conf, "enable.auto.commit", "false");
  set(conf, "fetch.message.max.bytes", "1000000");
  char error[256];
  reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (!reader) {
    fprintf(stderr, "openloop: %s\n", error);
    exit(2);
  }
  rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; i++) {
    rd_kafka_topic_partition_list_add(places, topic, i)->offset = RD_KAFKA_OFFSET_END;
  }
  rd_kafka_assign(reader, places);
  rd_kafka_topic_partition_list_destroy(places);
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
    if (strcmp(argv[i], "read") == 0) {
      read_at(value, argv[2], partitions);
    } else {
      set(conf, argv[i], value);
    }
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

  pthread_t reading;
  if (reader && pthread_create(&reading, NULL, read_all, NULL) != 0) return 2;
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
      if (reader) memcpy(payload, &when, sizeof when);
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
  if (reader) {
    int64_t patience = now_ns() + (int64_t)30e9;
    while (atomic_load(&got) < wanted && now_ns() < patience) rd_kafka_poll(producer, 10);
    atomic_store(&is_over, 1);
    pthread_join(reading, NULL);
  }
  uint64_t unanswered = reader ? wanted - atomic_load(&got) : sent - acknowledged - acknowledged_warm - failed;
  printf("{\"sent\": %lu, \"rate\": %.1f, \"failed\": %lu, \"unanswered\": %lu, \"refused\": %lu, \"p50\": %.3f, "
         "\"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}\n",
         sent, (double)answered / seconds, failed, unanswered, refused, percentile(0.5), percentile(0.99),
         percentile(0.999), (double)longest / 1e6);
  return 0;
}
