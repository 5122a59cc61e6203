import { slotExecutionId } from '../../src/domain/schedule/slot-id.ts';
import { LEASE_MS } from './instance.ts';
import { plus } from './manual-clock.ts';
import type { Row } from './rows.ts';

type StartedSlot = { job: { id: string }; slot: Date; instanceId: string };

/** The row of an execution that was started at the very instant of its slot, and runs for the first time. */
export function startedAtSlot({ job, slot, instanceId }: StartedSlot): Row {
  return {
    id: slotExecutionId(job.id, slot),
    status: 'RUNNING',
    trigger: 'SCHEDULE',
    scheduled_at: slot,
    available_at: slot,
    created_at: slot,
    started_at: slot,
    attempt_started_at: slot,
    lateness_ms: 0,
    attempt_count: 1,
    claim_seq: 1,
    claimed_by: instanceId,
    lease_expires_at: plus(slot, LEASE_MS),
  };
}

/** What the log tells of such an execution until its call has ended well. */
export function toldOfStart({ job, slot, instanceId }: StartedSlot): Row[] {
  const execution_id = slotExecutionId(job.id, slot);
  const told = { execution_id, at: slot, trigger: 'SCHEDULE', scheduled_at: slot, created_at: slot };
  return [
    { ...told, kind: 'EXECUTION_PLANNED', status: 'PENDING', previous_status: null, started_at: null },
    {
      ...told,
      kind: 'EXECUTION_STARTED',
      status: 'RUNNING',
      previous_status: 'PENDING',
      attempt: 1,
      started_at: slot,
      lateness_ms: 0,
      instance_id: instanceId,
    },
    { execution_id, kind: 'EXECUTION_SUCCEEDED' },
  ];
}
