-- AlterEnum
ALTER TYPE "event_kind" ADD VALUE 'EXECUTION_CALLBACK_AWAITED';

-- The timeline of the server's WAL: a promoted standby has a new one. Some managed servers do not tell; there it is empty,
-- and what it would have said goes unsaid. A standby does not tell either, but is not to be taken for its primary.
CREATE FUNCTION "event_log_timeline"() RETURNS TEXT LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN left(pg_walfile_name(pg_current_wal_lsn()), 8);
EXCEPTION WHEN OTHERS THEN
  IF pg_is_in_recovery() THEN RAISE; END IF;
  RETURN '';
END
$$;
