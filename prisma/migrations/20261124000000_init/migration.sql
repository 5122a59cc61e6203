-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "job_status" AS ENUM ('ACTIVE', 'PAUSED', 'COMPLETED', 'DELETED');

-- CreateEnum
CREATE TYPE "job_type" AS ENUM ('ATLEAST_ONCE', 'ATMOST_ONCE');

-- CreateEnum
CREATE TYPE "http_method" AS ENUM ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE');

-- CreateEnum
CREATE TYPE "backoff_strategy" AS ENUM ('EXPONENTIAL', 'LINEAR', 'FIXED');

-- CreateEnum
CREATE TYPE "concurrency_policy" AS ENUM ('ALLOW', 'FORBID', 'QUEUE', 'REPLACE');

-- CreateEnum
CREATE TYPE "misfire_policy" AS ENUM ('RUN_ONCE', 'RUN_ALL', 'SKIP');

-- CreateEnum
CREATE TYPE "dst_gap_policy" AS ENUM ('SHIFT', 'SKIP');

-- CreateEnum
CREATE TYPE "dst_overlap_policy" AS ENUM ('FIRST', 'LAST', 'BOTH');

-- CreateEnum
CREATE TYPE "dependency_condition" AS ENUM ('ON_SUCCESS', 'ON_FAILURE', 'ON_COMPLETION');

-- CreateEnum
CREATE TYPE "execution_status" AS ENUM ('PENDING', 'BLOCKED', 'RUNNING', 'RETRYING', 'SUCCESS', 'FAILED', 'CANCELLED', 'SKIPPED');

-- CreateEnum
CREATE TYPE "execution_trigger" AS ENUM ('SCHEDULE', 'MANUAL', 'DEPENDENCY', 'REDRIVE', 'CATCH_UP');

-- CreateEnum
CREATE TYPE "failure_reason" AS ENUM ('HTTP_STATUS', 'TIMEOUT', 'CONNECTION', 'DNS', 'TLS', 'BLOCKED_TARGET', 'TOO_MANY_REDIRECTS', 'INSTANCE_LOST', 'INVALID_REQUEST');

-- CreateEnum
CREATE TYPE "skip_reason" AS ENUM ('OVERLAP', 'MISFIRE', 'DEPENDENCY_NOT_MET', 'OPERATOR');

-- CreateEnum
CREATE TYPE "log_level" AS ENUM ('ERROR', 'WARN', 'INFO', 'DEBUG');

-- CreateEnum
CREATE TYPE "event_kind" AS ENUM ('EXECUTION_PLANNED', 'EXECUTION_SKIPPED', 'EXECUTION_UNBLOCKED', 'EXECUTION_STARTED', 'EXECUTION_SUCCEEDED', 'EXECUTION_RETRY_SCHEDULED', 'EXECUTION_FAILED', 'EXECUTION_CANCELLED', 'EXECUTION_INTERRUPTED', 'JOB_CREATED', 'JOB_UPDATED', 'JOB_PAUSED', 'JOB_RESUMED', 'JOB_COMPLETED', 'JOB_DELETED', 'INSTANCE_STARTED', 'INSTANCE_STOPPED', 'INSTANCE_LOST');

-- CreateEnum
CREATE TYPE "audit_action" AS ENUM ('CREATED', 'UPDATED', 'PAUSED', 'RESUMED', 'DELETED', 'TRIGGERED', 'CANCELLED', 'REDRIVEN', 'DISCARDED', 'TAGGED', 'UNTAGGED', 'DEPENDENCY_ADDED', 'DEPENDENCY_REMOVED', 'ALERT_CREATED', 'ALERT_UPDATED', 'ALERT_DELETED');

-- CreateEnum
CREATE TYPE "alert_channel" AS ENUM ('WEBHOOK', 'EMAIL', 'SLACK');

-- CreateEnum
CREATE TYPE "alert_event" AS ENUM ('FAILED', 'RECOVERED', 'DEAD_LETTERED', 'LATE', 'SKIPPED', 'SUCCEEDED');

-- CreateEnum
CREATE TYPE "delivery_status" AS ENUM ('PENDING', 'DELIVERED', 'FAILED');

-- CreateTable
CREATE TABLE "jobs" (
    "id" UUID NOT NULL,
    "key" TEXT,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "status" "job_status" NOT NULL DEFAULT 'ACTIVE',
    "type" "job_type" NOT NULL DEFAULT 'ATLEAST_ONCE',
    "schedule" TEXT,
    "timezone" TEXT NOT NULL DEFAULT 'UTC',
    "run_at" TIMESTAMPTZ(3),
    "start_at" TIMESTAMPTZ(3),
    "end_at" TIMESTAMPTZ(3),
    "jitter_ms" INTEGER NOT NULL DEFAULT 0,
    "api" TEXT NOT NULL,
    "method" "http_method" NOT NULL DEFAULT 'GET',
    "headers" JSONB NOT NULL DEFAULT '{}',
    "body" JSONB,
    "timeout_ms" INTEGER NOT NULL DEFAULT 30000,
    "success_statuses" TEXT[] DEFAULT ARRAY['2xx']::TEXT[],
    "max_retries" INTEGER,
    "backoff_strategy" "backoff_strategy",
    "initial_delay_ms" INTEGER,
    "max_delay_ms" INTEGER,
    "retry_jitter" DOUBLE PRECISION,
    "retry_on" TEXT[],
    "respect_retry_after" BOOLEAN,
    "concurrency_policy" "concurrency_policy" NOT NULL DEFAULT 'ALLOW',
    "misfire_policy" "misfire_policy" NOT NULL DEFAULT 'RUN_ONCE',
    "misfire_grace_ms" INTEGER NOT NULL DEFAULT 60000,
    "dst_gap_policy" "dst_gap_policy" NOT NULL DEFAULT 'SHIFT',
    "dst_overlap_policy" "dst_overlap_policy" NOT NULL DEFAULT 'FIRST',
    "priority" INTEGER NOT NULL DEFAULT 0,
    "next_run_at" TIMESTAMPTZ(3),
    "paused_at" TIMESTAMPTZ(3),
    "paused_until" TIMESTAMPTZ(3),
    "pause_reason" TEXT,
    "paused_by" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "jobs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_tags" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "color" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "job_tags_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_tag_associations" (
    "job_id" UUID NOT NULL,
    "tag_id" UUID NOT NULL,

    CONSTRAINT "job_tag_associations_pkey" PRIMARY KEY ("job_id","tag_id")
);

-- CreateTable
CREATE TABLE "job_dependencies" (
    "id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "depends_on_id" UUID NOT NULL,
    "condition" "dependency_condition" NOT NULL DEFAULT 'ON_SUCCESS',
    "satisfied_by_execution_id" UUID,
    "satisfied_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "job_dependencies_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_executions" (
    "id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "status" "execution_status" NOT NULL,
    "trigger" "execution_trigger" NOT NULL,
    "scheduled_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "available_at" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "attempt_started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "duration_ms" INTEGER,
    "lateness_ms" INTEGER,
    "attempt_count" INTEGER NOT NULL DEFAULT 0,
    "max_attempts" INTEGER NOT NULL DEFAULT 1,
    "priority" INTEGER NOT NULL DEFAULT 0,
    "claim_seq" INTEGER NOT NULL DEFAULT 0,
    "claimed_by" TEXT,
    "lease_expires_at" TIMESTAMPTZ(3),
    "retry_count" INTEGER NOT NULL DEFAULT 0,
    "rescue_count" INTEGER NOT NULL DEFAULT 0,
    "cancel_requested_at" TIMESTAMPTZ(3),
    "failure_reason" "failure_reason",
    "skip_reason" "skip_reason",
    "error_message" TEXT,
    "slot_count" INTEGER NOT NULL DEFAULT 1,
    "body_override" JSONB,
    "idempotency_key" TEXT,
    "redrive_of_id" UUID,
    "request" JSONB,
    "response_status" INTEGER,
    "response_body" TEXT,
    "response_truncated" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "job_executions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_execution_triggers" (
    "execution_id" UUID NOT NULL,
    "triggered_by_id" UUID NOT NULL,

    CONSTRAINT "job_execution_triggers_pkey" PRIMARY KEY ("execution_id","triggered_by_id")
);

-- CreateTable
CREATE TABLE "job_execution_attempts" (
    "execution_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3) NOT NULL,
    "duration_ms" INTEGER NOT NULL,
    "response_status" INTEGER,
    "failure_reason" "failure_reason",
    "error_message" TEXT,
    "response_headers" JSONB,
    "response_body" TEXT,
    "instance_id" TEXT NOT NULL,
    "timings" JSONB,

    CONSTRAINT "job_execution_attempts_pkey" PRIMARY KEY ("execution_id","number")
);

-- CreateTable
CREATE TABLE "job_execution_logs" (
    "execution_id" UUID NOT NULL,
    "position" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "level" "log_level" NOT NULL,
    "message" TEXT NOT NULL,
    "attempt" INTEGER,
    "metadata" JSONB,

    CONSTRAINT "job_execution_logs_pkey" PRIMARY KEY ("execution_id","position")
);

-- CreateTable
CREATE TABLE "failed_jobs_dlq" (
    "execution_id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "failure_reason" "failure_reason" NOT NULL,
    "error_message" TEXT,
    "failed_at" TIMESTAMPTZ(3) NOT NULL,
    "redriven_at" TIMESTAMPTZ(3),
    "redrive_execution_id" UUID,
    "discarded_at" TIMESTAMPTZ(3),

    CONSTRAINT "failed_jobs_dlq_pkey" PRIMARY KEY ("execution_id")
);

-- CreateTable
CREATE TABLE "job_execution_rollups" (
    "job_id" UUID NOT NULL,
    "bucket_at" TIMESTAMPTZ(3) NOT NULL,
    "success_count" INTEGER NOT NULL DEFAULT 0,
    "failed_count" INTEGER NOT NULL DEFAULT 0,
    "cancelled_count" INTEGER NOT NULL DEFAULT 0,
    "skipped_count" INTEGER NOT NULL DEFAULT 0,
    "retry_count" INTEGER NOT NULL DEFAULT 0,
    "duration_sum_ms" BIGINT NOT NULL DEFAULT 0,
    "duration_sketch" INTEGER[] DEFAULT ARRAY[]::INTEGER[],
    "lateness_sketch" INTEGER[] DEFAULT ARRAY[]::INTEGER[],

    CONSTRAINT "job_execution_rollups_pkey" PRIMARY KEY ("job_id","bucket_at")
);

-- CreateTable
CREATE TABLE "event_log" (
    "position" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "kind" "event_kind" NOT NULL,
    "job_id" UUID,
    "execution_id" UUID,
    "status" "execution_status",
    "previous_status" "execution_status",
    "attempt" INTEGER,
    "trigger" "execution_trigger",
    "created_at" TIMESTAMPTZ(3),
    "scheduled_at" TIMESTAMPTZ(3),
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "duration_ms" INTEGER,
    "lateness_ms" INTEGER,
    "failure_reason" "failure_reason",
    "response_status" INTEGER,
    "error_message" TEXT,
    "instance_id" TEXT,
    "data" JSONB,

    CONSTRAINT "event_log_pkey" PRIMARY KEY ("position")
);

-- CreateTable
CREATE TABLE "event_log_state" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "epoch" UUID NOT NULL,
    "pruned_through" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "event_log_state_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "scheduler_metadata" (
    "instance_id" TEXT NOT NULL,
    "hostname" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "last_heartbeat_at" TIMESTAMPTZ(3) NOT NULL,
    "running_executions" INTEGER NOT NULL DEFAULT 0,
    "stopped_at" TIMESTAMPTZ(3),
    "lost_at" TIMESTAMPTZ(3),

    CONSTRAINT "scheduler_metadata_pkey" PRIMARY KEY ("instance_id")
);

-- CreateTable
CREATE TABLE "job_audit_log" (
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "action" "audit_action" NOT NULL,
    "actor" TEXT NOT NULL,
    "job_id" UUID,
    "before" JSONB,
    "after" JSONB,
    "request_id" TEXT,
    "address" TEXT,

    CONSTRAINT "job_audit_log_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_alerts" (
    "id" UUID NOT NULL,
    "job_id" UUID NOT NULL,
    "channel" "alert_channel" NOT NULL,
    "target" TEXT NOT NULL,
    "events" "alert_event"[],
    "failure_threshold" INTEGER NOT NULL DEFAULT 1,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "job_alerts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_alert_deliveries" (
    "id" UUID NOT NULL,
    "alert_id" UUID NOT NULL,
    "execution_id" UUID,
    "event" "alert_event" NOT NULL,
    "status" "delivery_status" NOT NULL DEFAULT 'PENDING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "available_at" TIMESTAMPTZ(3) NOT NULL,
    "lease_expires_at" TIMESTAMPTZ(3),
    "delivered_at" TIMESTAMPTZ(3),
    "payload" JSONB,

    CONSTRAINT "job_alert_deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "secret_hash" TEXT NOT NULL,
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "jobs_created_at_id_idx" ON "jobs"("created_at", "id");

-- CreateIndex
CREATE INDEX "jobs_name_id_idx" ON "jobs"("name", "id");

-- CreateIndex
CREATE INDEX "jobs_updated_at_id_idx" ON "jobs"("updated_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "job_tags_name_key" ON "job_tags"("name");

-- CreateIndex
CREATE INDEX "job_tag_associations_tag_id_idx" ON "job_tag_associations"("tag_id");

-- CreateIndex
CREATE INDEX "job_dependencies_depends_on_id_idx" ON "job_dependencies"("depends_on_id");

-- CreateIndex
CREATE UNIQUE INDEX "job_dependencies_job_id_depends_on_id_key" ON "job_dependencies"("job_id", "depends_on_id");

-- CreateIndex
CREATE INDEX "job_executions_created_at_id_idx" ON "job_executions"("created_at", "id");

-- CreateIndex
CREATE INDEX "job_executions_job_id_created_at_id_idx" ON "job_executions"("job_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_executions_redrive_of_id_idx" ON "job_executions"("redrive_of_id");

-- CreateIndex
CREATE INDEX "job_execution_triggers_triggered_by_id_idx" ON "job_execution_triggers"("triggered_by_id");

-- CreateIndex
CREATE INDEX "failed_jobs_dlq_failed_at_execution_id_idx" ON "failed_jobs_dlq"("failed_at", "execution_id");

-- CreateIndex
CREATE INDEX "failed_jobs_dlq_job_id_failed_at_idx" ON "failed_jobs_dlq"("job_id", "failed_at");

-- CreateIndex
CREATE INDEX "failed_jobs_dlq_redrive_execution_id_idx" ON "failed_jobs_dlq"("redrive_execution_id");

-- CreateIndex
CREATE INDEX "job_execution_rollups_bucket_at_idx" ON "job_execution_rollups"("bucket_at");

-- CreateIndex
CREATE INDEX "job_audit_log_at_id_idx" ON "job_audit_log"("at", "id");

-- CreateIndex
CREATE INDEX "job_audit_log_job_id_at_id_idx" ON "job_audit_log"("job_id", "at", "id");

-- CreateIndex
CREATE INDEX "job_alerts_job_id_idx" ON "job_alerts"("job_id");

-- CreateIndex
CREATE INDEX "job_alert_deliveries_alert_id_created_at_id_idx" ON "job_alert_deliveries"("alert_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_alert_deliveries_execution_id_idx" ON "job_alert_deliveries"("execution_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_secret_hash_key" ON "api_keys"("secret_hash");

-- AddForeignKey
ALTER TABLE "job_tag_associations" ADD CONSTRAINT "job_tag_associations_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_tag_associations" ADD CONSTRAINT "job_tag_associations_tag_id_fkey" FOREIGN KEY ("tag_id") REFERENCES "job_tags"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_dependencies" ADD CONSTRAINT "job_dependencies_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_dependencies" ADD CONSTRAINT "job_dependencies_depends_on_id_fkey" FOREIGN KEY ("depends_on_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_executions" ADD CONSTRAINT "job_executions_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_executions" ADD CONSTRAINT "job_executions_redrive_of_id_fkey" FOREIGN KEY ("redrive_of_id") REFERENCES "job_executions"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_execution_triggers" ADD CONSTRAINT "job_execution_triggers_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "job_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_execution_triggers" ADD CONSTRAINT "job_execution_triggers_triggered_by_id_fkey" FOREIGN KEY ("triggered_by_id") REFERENCES "job_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_execution_attempts" ADD CONSTRAINT "job_execution_attempts_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "job_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_execution_logs" ADD CONSTRAINT "job_execution_logs_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "job_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "failed_jobs_dlq" ADD CONSTRAINT "failed_jobs_dlq_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "job_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "failed_jobs_dlq" ADD CONSTRAINT "failed_jobs_dlq_redrive_execution_id_fkey" FOREIGN KEY ("redrive_execution_id") REFERENCES "job_executions"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "failed_jobs_dlq" ADD CONSTRAINT "failed_jobs_dlq_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_execution_rollups" ADD CONSTRAINT "job_execution_rollups_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_audit_log" ADD CONSTRAINT "job_audit_log_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_alerts" ADD CONSTRAINT "job_alerts_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_alert_deliveries" ADD CONSTRAINT "job_alert_deliveries_alert_id_fkey" FOREIGN KEY ("alert_id") REFERENCES "job_alerts"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_alert_deliveries" ADD CONSTRAINT "job_alert_deliveries_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "job_executions"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- The order of positions is the order of commits: a position is drawn only under the advisory lock that
-- src/store/event-log.ts takes last in a transaction. CACHE 1 (the default) because a connection that drew ahead
-- would later commit positions that readers have passed.
CREATE SEQUENCE "event_log_position_seq" AS BIGINT OWNED BY "event_log"."position";
INSERT INTO "event_log_state" ("id", "epoch", "pruned_through") VALUES (1, gen_random_uuid(), 0);
ALTER TABLE "event_log_state" ADD CONSTRAINT "event_log_state_one_row" CHECK ("id" = 1);

-- A name of the owner's choosing is free again once its job is deleted.
CREATE UNIQUE INDEX "jobs_key_unique" ON "jobs" ("key") WHERE "status" <> 'DELETED';
-- The planner's only question: which active jobs are due, soonest first.
CREATE INDEX "jobs_due" ON "jobs" ("next_run_at") WHERE "next_run_at" IS NOT NULL;
CREATE INDEX "jobs_paused_until" ON "jobs" ("paused_until") WHERE "paused_until" IS NOT NULL;

-- Once per slot: whoever plans a slot, and however often, it has one execution or one recorded reason.
CREATE UNIQUE INDEX "job_executions_slot_unique" ON "job_executions" ("job_id", "scheduled_at") WHERE "trigger" IN ('SCHEDULE', 'CATCH_UP');
CREATE UNIQUE INDEX "job_executions_idempotency_key_unique" ON "job_executions" ("job_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL;
-- The hot statements look only at what is unfinished; these indexes stay small however long the history.
CREATE INDEX "job_executions_claim" ON "job_executions" ("priority" DESC, "available_at", "id") WHERE "status" IN ('PENDING', 'RETRYING');
CREATE INDEX "job_executions_available" ON "job_executions" ("available_at") WHERE "status" IN ('PENDING', 'RETRYING');
CREATE INDEX "job_executions_lease" ON "job_executions" ("lease_expires_at") WHERE "status" = 'RUNNING';
CREATE INDEX "job_executions_unfinished" ON "job_executions" ("job_id", "created_at") WHERE "status" IN ('PENDING', 'BLOCKED', 'RUNNING', 'RETRYING');
CREATE INDEX "job_executions_finished_at" ON "job_executions" ("finished_at") WHERE "finished_at" IS NOT NULL;
CREATE INDEX "failed_jobs_dlq_open" ON "failed_jobs_dlq" ("failed_at", "execution_id") WHERE "redriven_at" IS NULL AND "discarded_at" IS NULL;
CREATE INDEX "job_alert_deliveries_due" ON "job_alert_deliveries" ("available_at") WHERE "status" = 'PENDING';
CREATE INDEX "event_log_at" ON "event_log" USING BRIN ("at");

ALTER TABLE "jobs"
  ADD CONSTRAINT "jobs_name_length" CHECK (char_length("name") BETWEEN 1 AND 200),
  ADD CONSTRAINT "jobs_key_length" CHECK (char_length("key") BETWEEN 1 AND 200),
  ADD CONSTRAINT "jobs_one_kind_of_schedule" CHECK ("schedule" IS NULL OR "run_at" IS NULL),
  ADD CONSTRAINT "jobs_schedule_length" CHECK (char_length("schedule") BETWEEN 1 AND 256),
  ADD CONSTRAINT "jobs_window" CHECK ("start_at" < "end_at"),
  ADD CONSTRAINT "jobs_api_is_http" CHECK ("api" ~* '^https?://' AND char_length("api") <= 2048),
  ADD CONSTRAINT "jobs_headers_are_an_object" CHECK (jsonb_typeof("headers") = 'object'),
  ADD CONSTRAINT "jobs_timeout_ms" CHECK ("timeout_ms" BETWEEN 1 AND 3600000),
  ADD CONSTRAINT "jobs_jitter_ms" CHECK ("jitter_ms" BETWEEN 0 AND 3600000),
  ADD CONSTRAINT "jobs_misfire_grace_ms" CHECK ("misfire_grace_ms" >= 0),
  ADD CONSTRAINT "jobs_success_statuses" CHECK (cardinality("success_statuses") > 0),
  ADD CONSTRAINT "jobs_retry_policy_whole" CHECK (
    num_nonnulls("max_retries", "backoff_strategy", "initial_delay_ms", "max_delay_ms", "retry_jitter", "respect_retry_after") IN (0, 6)),
  ADD CONSTRAINT "jobs_retry_policy_range" CHECK (
    "max_retries" BETWEEN 0 AND 100 AND "initial_delay_ms" >= 1 AND "max_delay_ms" >= 1 AND "retry_jitter" BETWEEN 0 AND 1),
  ADD CONSTRAINT "jobs_next_run_only_when_active" CHECK ("next_run_at" IS NULL OR "status" = 'ACTIVE'),
  ADD CONSTRAINT "jobs_paused_at_exactly_when_paused" CHECK (("paused_at" IS NOT NULL) = ("status" = 'PAUSED')),
  ADD CONSTRAINT "jobs_pause_facts_only_when_paused" CHECK (
    "status" = 'PAUSED' OR num_nonnulls("paused_until", "pause_reason", "paused_by") = 0),
  ADD CONSTRAINT "jobs_deleted_at_exactly_when_deleted" CHECK (("deleted_at" IS NOT NULL) = ("status" = 'DELETED')),
  ADD CONSTRAINT "jobs_version" CHECK ("version" >= 1);

ALTER TABLE "job_executions"
  ADD CONSTRAINT "job_executions_finished_at_exactly_when_finished" CHECK (
    ("finished_at" IS NOT NULL) = ("status" IN ('SUCCESS', 'FAILED', 'CANCELLED', 'SKIPPED'))),
  ADD CONSTRAINT "job_executions_lease_exactly_while_running" CHECK (("lease_expires_at" IS NOT NULL) = ("status" = 'RUNNING')),
  ADD CONSTRAINT "job_executions_running_is_claimed" CHECK (
    "status" <> 'RUNNING' OR num_nonnulls("claimed_by", "started_at", "attempt_started_at") = 3),
  ADD CONSTRAINT "job_executions_success_was_started" CHECK ("status" <> 'SUCCESS' OR "started_at" IS NOT NULL),
  ADD CONSTRAINT "job_executions_failure_reason_exactly_when_failed" CHECK (("failure_reason" IS NOT NULL) = ("status" = 'FAILED')),
  ADD CONSTRAINT "job_executions_skip_reason_exactly_when_skipped" CHECK (("skip_reason" IS NOT NULL) = ("status" = 'SKIPPED')),
  ADD CONSTRAINT "job_executions_slot_of_a_schedule" CHECK ("trigger" NOT IN ('SCHEDULE', 'CATCH_UP') OR "scheduled_at" IS NOT NULL),
  ADD CONSTRAINT "job_executions_counts" CHECK (
    "attempt_count" >= 0 AND "max_attempts" >= 1 AND "claim_seq" >= 0 AND "retry_count" >= 0 AND "rescue_count" >= 0 AND "slot_count" >= 1),
  ADD CONSTRAINT "job_executions_response_body_length" CHECK (char_length("response_body") <= 5000);

ALTER TABLE "job_execution_attempts"
  ADD CONSTRAINT "job_execution_attempts_number" CHECK ("number" >= 1),
  ADD CONSTRAINT "job_execution_attempts_duration" CHECK ("duration_ms" >= 0);
ALTER TABLE "failed_jobs_dlq"
  ADD CONSTRAINT "failed_jobs_dlq_redriven_or_discarded" CHECK (num_nonnulls("redriven_at", "discarded_at") <= 1);
ALTER TABLE "job_dependencies"
  ADD CONSTRAINT "job_dependencies_not_on_itself" CHECK ("job_id" <> "depends_on_id");
ALTER TABLE "job_alerts"
  ADD CONSTRAINT "job_alerts_failure_threshold" CHECK ("failure_threshold" >= 1);
ALTER TABLE "job_alert_deliveries"
  ADD CONSTRAINT "job_alert_deliveries_delivered_at" CHECK (("delivered_at" IS NOT NULL) = ("status" = 'DELIVERED'));

-- Rows of these tables change a few times within seconds of their birth. Vacuum early and often, in small bites:
-- waiting for a fifth of the table to die would let the partial indexes bloat.
ALTER TABLE "job_executions" SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE "jobs" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE "job_execution_rollups" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE "event_log" SET (autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.05);
