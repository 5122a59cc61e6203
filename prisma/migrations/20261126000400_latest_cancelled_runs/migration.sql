-- With it the counts of ends, which outlive executions, tell how the latest run of a job ended. By itself: while the table
-- is locked nothing else is waited for, as an instance that runs waits for it with executions locked.
-- AlterTable
ALTER TABLE "job_execution_rollups" ADD COLUMN     "last_cancelled_at" TIMESTAMPTZ(3);
