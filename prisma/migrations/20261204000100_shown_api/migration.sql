-- The URL of a job as the API shows it, which filters compare with: by the URL itself, who may not see a secret could ask for
-- it letter by letter. Written with the job from now on. Of jobs that are there, credentials and parameters are left out
-- altogether until they are changed: what masks a URL is not written in SQL.
ALTER TABLE "jobs" ADD COLUMN "shown_api" TEXT NOT NULL DEFAULT '';
UPDATE "jobs" SET "shown_api" = regexp_replace(split_part("api", '?', 1), '//[^/@]*@', '//');

-- Events of jobs told the URL as it is.
UPDATE "event_log"
SET "data" = jsonb_set("data", '{api}', to_jsonb(regexp_replace(split_part("data" ->> 'api', '?', 1), '//[^/@]*@', '//')))
WHERE "data" ->> 'api' ~ '[?@]';
