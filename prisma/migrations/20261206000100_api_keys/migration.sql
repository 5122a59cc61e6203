-- No version has written or read this table.
DROP TABLE "api_keys";

CREATE TYPE "access_role" AS ENUM ('VIEWER', 'OPERATOR', 'EDITOR', 'ADMIN');

CREATE TABLE "api_keys" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "role" "access_role" NOT NULL,
    "hash" BYTEA NOT NULL,
    "previous_hash" BYTEA,
    "previous_until" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "api_keys_name_check" CHECK (char_length("name") BETWEEN 1 AND 100),
    CONSTRAINT "api_keys_hash_check" CHECK (octet_length("hash") = 32),
    CONSTRAINT "api_keys_previous_check" CHECK (
        ("previous_hash" IS NULL) = ("previous_until" IS NULL) AND octet_length("previous_hash") = 32
    )
);

CREATE INDEX "api_keys_created_at_id_idx" ON "api_keys"("created_at", "id");

-- A name may be used again once its key is revoked.
CREATE UNIQUE INDEX "api_keys_name_key" ON "api_keys"("name") WHERE "revoked_at" IS NULL;

ALTER TYPE "audit_action" ADD VALUE 'API_KEY_CREATED';
ALTER TYPE "audit_action" ADD VALUE 'API_KEY_ROTATED';
ALTER TYPE "audit_action" ADD VALUE 'API_KEY_REVOKED';
