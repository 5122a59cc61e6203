-- CreateIndex
CREATE INDEX "job_audit_log_action_at_id_idx" ON "job_audit_log"("action", "at", "id");

-- CreateIndex
CREATE INDEX "job_audit_log_actor_at_id_idx" ON "job_audit_log"("actor", "at", "id");
