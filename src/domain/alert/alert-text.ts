import type { AlertNotice } from './alert-notice.ts';
import { cutText } from '../values/text.ts';

/** A notice for people: one line, and the facts behind it. */
export interface AlertText {
  title: string;
  facts: { label: string; value: string }[];
}

/** A title is the subject of a mail and the heading of a chat message, so it is one short line. */
const MAX_TITLE_LENGTH = 150;
/** A name may have 200 characters. The title must still show what happened. */
const MAX_NAME_LENGTH = 80;

/** Puts a notice into words. It escapes nothing: each channel escapes in its own way. */
export function wordNotice(notice: AlertNotice): AlertText {
  return { title: cutText(titleOf(notice), MAX_TITLE_LENGTH), facts: factsOf(notice) };
}

function titleOf(notice: AlertNotice): string {
  const name = shorten(oneLine(notice.job.name), MAX_NAME_LENGTH);
  if (notice.isTest) return `Test of an alert of ${name}`;
  if (notice.occurrences > 1) {
    return `${name}: ${notice.event} ${notice.occurrences} times since ${timeOf(notice.firstAt)}`;
  }
  return `${name} ${happeningOf(notice)}`;
}

function happeningOf({ event, failuresInRow, execution }: AlertNotice): string {
  switch (event) {
    case 'FAILED':
      return failuresInRow === 1 ? 'failed' : `failed ${failuresInRow} times in a row`;
    case 'RECOVERED':
      return `works again after ${failuresInRow === 1 ? 'a failure' : `${failuresInRow} failures`}`;
    case 'DEAD_LETTERED':
      return `has a new dead letter (${execution?.failureReason ?? 'unknown'})`;
    case 'LATE':
      return execution?.startedAt
        ? `started ${secondsOf(execution.latenessMs ?? 0)} late`
        : `has not started its run of ${timeOf(execution?.scheduledAt ?? '')}`;
    case 'SKIPPED':
      return `was skipped (${execution?.skipReason ?? 'unknown'})`;
    case 'SUCCEEDED':
      return 'succeeded';
  }
}

function factsOf(notice: AlertNotice): AlertText['facts'] {
  const { job, execution } = notice;
  const facts: [string, string | number | null | undefined][] = [
    ['Job', job.key === null ? job.id : `${job.key} (${job.id})`],
    ['Event', notice.event],
    ['At', notice.at],
    ['Execution', execution?.id],
    ['Slot', execution?.scheduledAt],
    ['Lateness', execution?.latenessMs ? secondsOf(execution.latenessMs) : null],
    ['Duration', execution?.durationMs ? secondsOf(execution.durationMs) : null],
    ['Attempts', execution && execution.attemptCount > 1 ? execution.attemptCount : null],
    ['Reason', execution?.failureReason ?? execution?.skipReason],
    ['HTTP status', execution?.responseStatus],
    ['Message', execution?.errorMessage],
    ['Failures in a row', notice.failuresInRow > 0 ? notice.failuresInRow : null],
  ];
  return facts.flatMap(([label, value]) =>
    value === null || value === undefined ? [] : [{ label, value: oneLine(String(value)) }],
  );
}

/** Puts foreign text on one line. With a line break it could look like a line of ours. */
function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .toWellFormed();
}

function shorten(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${cutText(text, maxLength - 1)}…`;
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

function timeOf(instant: string): string {
  return instant === '' ? 'an unknown time' : `${instant.slice(0, 19).replace('T', ' ')} UTC`;
}
