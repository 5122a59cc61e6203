-- AlterTable
ALTER TABLE "job_executions" ADD COLUMN "cancel_reason" TEXT;

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

ALTER TABLE "job_executions"
  ADD CONSTRAINT "job_executions_cancel_reason_length" CHECK (char_length("cancel_reason") <= 1000),
  ADD CONSTRAINT "job_executions_cancel_reason_only_when_cancelled" CHECK (
    "cancel_reason" IS NULL OR "cancel_requested_at" IS NOT NULL);

-- Slots that an operator left out: a handful of rows, asked for whenever a job's next runs are computed.
CREATE INDEX "job_executions_left_out" ON "job_executions" ("job_id", "scheduled_at") WHERE "skip_reason" = 'OPERATOR';
