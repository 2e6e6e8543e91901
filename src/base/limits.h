/* Every maximum of the program, in one place. Bytes unless the name says otherwise. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB(n) ((size_t)(n)*1024)
#define MIB(n) ((size_t)(n)*1024 * 1024)

/* Input */
#define HEAD_MAX KIB(16)           /* request line and header fields */
#define HEADER_COUNT_MAX 100       /* fields */
#define TARGET_MAX KIB(8)          /* the request target */
#define BODY_MAX MIB(1)            /* a plain request body */
#define BULK_BODY_MAX MIB(16)      /* a bulk request body */
#define JSON_DEPTH_MAX 32          /* levels */
#define JSON_VALUES_MAX 300000     /* values of one document; parsed, each takes some 100 bytes */
#define LIST_TEXT_MAX 255          /* characters of one text of a list: a tag, an address */
#define FREE_JSON_MAX KIB(64)      /* payload, metadata, custom_fields */
#define BULK_ROWS_MAX 1000         /* rows */
#define FAULTS_MAX 64              /* faults kept of one request */
#define IDEMPOTENCY_KEY_MAX 255    /* characters */
#define IDEMPOTENCY_KEPT_US DAY_US /* that long the first answer is given again (base/time.h) */

/* Lists */
#define PAGE_DEFAULT 20
#define PAGE_MAX 200
#define EVENT_PAGE_DEFAULT 50
#define EVENT_PAGE_MAX 500
#define OFFSET_MAX 10000 /* rows; deeper pages go by cursor */
#define COUNT_CAP 10000  /* rows counted for a combined filter */
#define SCAN_CAP 50000   /* index entries read for one page of a combined filter */
#define CSV_ROWS_MAX 10000

/* Memory */
#define REQUEST_ARENA_MAX MIB(64) /* past it the answer is 413 */
#define ANSWER_MAX MIB(32)

/* Queues */
#define STORE_QUEUE_MAX 4096  /* jobs waiting for the store; past it 503 */
#define BATCH_MAX 64          /* writes that share one commit on SQLite */
#define CONNECTIONS_MAX 10000 /* open client connections */

/* Requests of one credential */
#define RATE_BURST_SECONDS 2 /* so many seconds' worth of them may come at once */
#define RATE_CALLERS 8192    /* buckets kept; a power of two */

/* Streams */
#define FRAME_MAX KIB(16)           /* a client's frame, or message of several frames */
#define STREAM_BACKLOG_MAX KIB(256) /* unsent bytes, past which a slow reader is cut */
#define SUBSCRIPTIONS_MAX 100       /* of one client */
#define FRAMES_PER_SECOND 50        /* of one client, on the whole */
#define FRAMES_BURST 200            /* so many may come at once */
#define RESUME_MAX 100000           /* events back; what is older is read as a timeline */

/* Deadlines, seconds */
#define HEAD_SECONDS 10  /* from the first byte of a head to its last */
#define BODY_SECONDS 30  /* the same of a body */
#define IDLE_SECONDS 75  /* between requests */
#define WRITE_SECONDS 30 /* an answer that nobody reads */
#define PING_SECONDS 30  /* between signs of life that a stream asks for */
#define DRAIN_SECONDS 20 /* after SIGTERM */

#endif
