-- AlterTable
ALTER TABLE "job_alerts" ADD COLUMN "failures_in_row" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "is_failing" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN "lateness_threshold_ms" INTEGER NOT NULL DEFAULT 60000,
ADD COLUMN "since_position" BIGINT NOT NULL DEFAULT 0;

-- AlterTable
-- Every row has a time at which it was due; those of before, if any, were due when they were available.
ALTER TABLE "job_alert_deliveries" ADD COLUMN "due_at" TIMESTAMPTZ(3),
ADD COLUMN "is_test" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN "occurrences" INTEGER NOT NULL DEFAULT 1;
UPDATE "job_alert_deliveries" SET "due_at" = "available_at";
ALTER TABLE "job_alert_deliveries" ALTER COLUMN "due_at" SET NOT NULL;

-- CreateTable
CREATE TABLE "job_alert_late_executions" (
    "alert_id" UUID NOT NULL,
    "execution_id" UUID NOT NULL,

    CONSTRAINT "job_alert_late_executions_pkey" PRIMARY KEY ("alert_id","execution_id")
);

-- CreateTable
CREATE TABLE "alert_reader" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "position" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "alert_reader_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "job_alert_late_executions_execution_id_idx" ON "job_alert_late_executions"("execution_id");

-- AddForeignKey
ALTER TABLE "job_alert_late_executions" ADD CONSTRAINT "job_alert_late_executions_alert_id_fkey" FOREIGN KEY ("alert_id") REFERENCES "job_alerts"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_alert_late_executions" ADD CONSTRAINT "job_alert_late_executions_execution_id_fkey" FOREIGN KEY ("execution_id") REFERENCES "job_executions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

INSERT INTO "alert_reader" ("id", "position") VALUES (1, 0);
ALTER TABLE "alert_reader" ADD CONSTRAINT "alert_reader_one_row" CHECK ("id" = 1);

-- Whether there is anything to read the event log for, and from where on: one look, however many alerts there are.
CREATE INDEX "job_alerts_enabled" ON "job_alerts" ("since_position") WHERE "enabled";
-- Whose executions may be late without having started.
CREATE INDEX "job_alerts_late" ON "job_alerts" ("job_id") WHERE "enabled" AND 'LATE' = ANY ("events");
-- What an alert has still to send.
CREATE INDEX "job_alert_deliveries_pending" ON "job_alert_deliveries" ("alert_id") WHERE "status" = 'PENDING';
-- What retention takes, oldest first.
CREATE INDEX "job_alert_deliveries_finished" ON "job_alert_deliveries" ("created_at") WHERE "status" <> 'PENDING';

ALTER TABLE "job_alerts"
  ADD CONSTRAINT "job_alerts_events" CHECK (cardinality("events") > 0),
  ADD CONSTRAINT "job_alerts_target_length" CHECK (char_length("target") BETWEEN 1 AND 2048),
  ADD CONSTRAINT "job_alerts_failure_threshold_range" CHECK ("failure_threshold" <= 1000),
  ADD CONSTRAINT "job_alerts_lateness_threshold_ms" CHECK ("lateness_threshold_ms" BETWEEN 1000 AND 604800000),
  ADD CONSTRAINT "job_alerts_failures_in_row" CHECK ("failures_in_row" >= 0),
  ADD CONSTRAINT "job_alerts_failing_has_failures" CHECK (NOT "is_failing" OR "failures_in_row" > 0);

ALTER TABLE "job_alert_deliveries"
  ADD CONSTRAINT "job_alert_deliveries_occurrences" CHECK ("occurrences" >= 1),
  ADD CONSTRAINT "job_alert_deliveries_lease_only_while_pending" CHECK ("lease_expires_at" IS NULL OR "status" = 'PENDING');
