-- Why an execution that is claimed is taken back, should its claim end without a call: its job was paused meanwhile.
ALTER TABLE "job_executions" ADD COLUMN     "withdraw_reason" TEXT;
