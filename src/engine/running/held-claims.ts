import { StopSignal } from '../../http/stop-signal.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { HeldClaim } from '../../store/executions/leases.ts';
import type { EndReason } from './run-execution.ts';

/** What is asked of an execution from its claim to its record. */
export type Claim = Pick<ClaimedExecution, 'id' | 'jobId' | 'claimSeq' | 'attemptCount' | 'host' | 'trigger'>;

export interface Held {
  claim: Claim;
  signal: StopSignal<EndReason>;
  /** The end of the lease by the monotonic clock: nothing is called behind it, whether or not the database can be reached. */
  deadlineMs: number;
  isCallOver: boolean;
  /** Null while it waits for a place. */
  done: Promise<void> | null;
}

/** Outcomes that cannot be recorded are rare: more than may fail together. */
const MAX_UNRECORDED = 10_000;

/** What this instance holds, from the claim to the record of its outcome, by the execution's id. */
export class HeldClaims {
  readonly #held = new Map<string, Held>();
  /** The latest calls of which the outcome could not be recorded: their executions, with the number of the claim. */
  readonly #unrecorded = new Map<string, number>();
  #backlog = 0;

  /** How many of them make up for missed slots. */
  get backlog(): number {
    return this.#backlog;
  }

  add(entry: Held): void {
    this.#held.set(entry.claim.id, entry);
    if (isBacklog(entry.claim)) this.#backlog += 1;
  }

  get(executionId: string): Held | undefined {
    return this.#held.get(executionId);
  }

  /** The entry of just this claim. */
  entryOf({ executionId, claimSeq }: HeldClaim): Held | undefined {
    const entry = this.#held.get(executionId);
    return entry?.claim.claimSeq === claimSeq ? entry : undefined;
  }

  remove(entry: Held): void {
    const { claim } = entry;
    // Only this entry: after a lost lease the same execution may have been claimed again.
    if (this.#held.get(claim.id) === entry) this.#held.delete(claim.id);
    if (isBacklog(claim)) this.#backlog -= 1;
  }

  all(): Held[] {
    return [...this.#held.values()];
  }

  /** Remembers that a call was made under this claim and that its outcome could not be recorded. */
  noteUnrecorded({ id, claimSeq }: Claim): void {
    this.#unrecorded.set(id, claimSeq);
    const [oldest] = this.#unrecorded.keys();
    if (this.#unrecorded.size > MAX_UNRECORDED && oldest !== undefined) this.#unrecorded.delete(oldest);
  }

  /** Whether an execution is held, or was called under this claim and what came of that could not be recorded. */
  holds({ executionId, claimSeq }: HeldClaim): boolean {
    return this.#held.has(executionId) || this.#unrecorded.get(executionId) === claimSeq;
  }

  async drained(): Promise<void> {
    // Who still waits for a place has one as soon as a call has ended.
    while (this.#held.size > 0) await Promise.all(this.all().flatMap(({ done }) => done ?? []));
  }
}

/** An execution that has just been claimed. */
export function heldOf(execution: ClaimedExecution, deadlineMs: number): Held {
  const { id, jobId, claimSeq, attemptCount, host, trigger } = execution;
  const claim = { id, jobId, claimSeq, attemptCount, host, trigger };
  return { claim, signal: new StopSignal(), deadlineMs, isCallOver: false, done: null };
}

export function isBacklog({ trigger }: Claim): boolean {
  return trigger === 'CATCH_UP';
}
