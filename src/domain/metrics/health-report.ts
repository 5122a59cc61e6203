export type HealthStatus = 'UP' | 'DEGRADED' | 'DOWN';

/** The health of a part of the process. `message` says what is wrong; null when nothing is. */
export interface ComponentHealth {
  status: HealthStatus;
  message: string | null;
}

export interface HealthReport {
  status: HealthStatus;
  version: string;
  uptimeSeconds: number;
  database: ComponentHealth & { latencyMs: number | null };
  scheduler: ComponentHealth;
}
