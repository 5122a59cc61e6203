-- CreateEnum
CREATE TYPE "job_completion" AS ENUM ('RESPONSE', 'CALLBACK');

-- AlterEnum
ALTER TYPE "failure_reason" ADD VALUE 'CALLBACK';

-- AlterTable
ALTER TABLE "jobs" ADD COLUMN "completion" "job_completion" NOT NULL DEFAULT 'RESPONSE',
ADD COLUMN "completion_timeout_ms" INTEGER NOT NULL DEFAULT 3600000;

-- AlterTable
ALTER TABLE "job_executions" ADD COLUMN "awaited_response" JSONB,
ADD COLUMN "callback_deadline_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "scheduler_secrets" (
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "scheduler_secrets_pkey" PRIMARY KEY ("name")
);

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- Signs the URLs that targets call back. It is here because every instance must know it, and 244 random bits are more
-- than the signature has.
INSERT INTO "scheduler_secrets" ("name", "value")
VALUES ('callbacks', gen_random_uuid()::text || gen_random_uuid()::text);

ALTER TABLE "jobs"
  ADD CONSTRAINT "jobs_completion_timeout_ms" CHECK ("completion_timeout_ms" BETWEEN 1000 AND 604800000);

ALTER TABLE "job_executions"
  ADD CONSTRAINT "job_executions_callback_only_while_running" CHECK ("callback_deadline_at" IS NULL OR "status" = 'RUNNING'),
  ADD CONSTRAINT "job_executions_awaited_response_only_while_awaited" CHECK (
    "awaited_response" IS NULL OR "callback_deadline_at" IS NOT NULL);

-- Whose callback did not come in time, soonest first.
CREATE INDEX "job_executions_callback_wait" ON "job_executions" ("lease_expires_at") WHERE "callback_deadline_at" IS NOT NULL;
