export type HealthStatus = 'UP' | 'DEGRADED' | 'DOWN';

/** How a part of the process is doing; `message` says what is wrong, null where nothing is. */
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
