-- AlterEnum
ALTER TYPE "audit_action" ADD VALUE 'TAG_CREATED';
ALTER TYPE "audit_action" ADD VALUE 'TAG_UPDATED';
ALTER TYPE "audit_action" ADD VALUE 'TAG_DELETED';

-- AlterEnum
ALTER TYPE "event_kind" ADD VALUE 'TAG_RENAMED';
ALTER TYPE "event_kind" ADD VALUE 'TAG_DELETED';

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

ALTER TABLE "job_tags"
  ADD CONSTRAINT "job_tags_name_length" CHECK (char_length("name") BETWEEN 1 AND 64),
  ADD CONSTRAINT "job_tags_color" CHECK ("color" ~ '^#[0-9a-f]{6}$');

-- Which jobs had which tags when: a few events among very many, asked for when a feed goes on behind an old cursor.
CREATE INDEX "event_log_tag_changes" ON "event_log" ("position") WHERE "data" ? 'previousTags';
