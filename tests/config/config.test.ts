import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, configReference, loadConfig } from '../../src/config/config.ts';
import { SECRET_BYTES, writeApiKey } from '../../src/domain/access/api-key.ts';

const KEY = writeApiKey('018f0000-0000-7000-8000-000000000001', new Uint8Array(SECRET_BYTES).fill(7));

function mistakesOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('gives every variable its documented default in an empty environment', () => {
    expect(loadConfig({})).toEqual({
      port: 3000,
      host: '127.0.0.1',
      authMode: 'none',
      isOpenOnPurpose: false,
      bootstrapAdminKey: undefined,
      publicUrl: undefined,
      databaseUrl: undefined,
      databaseDirectUrl: undefined,
      databaseMigrationUrl: undefined,
      databasePoolMax: 20,
      databaseIdleTimeoutMs: 30_000,
      databaseApiPoolMax: 4,
      databaseConnectTimeoutMs: 2000,
      databaseQueryTimeoutMs: 15_000,
      nodeEnv: 'development',
      logLevel: 'info',
      logDir: resolve('logs'),
      dataDir: resolve('data'),
      embeddedPostgresPort: undefined,
      pollIntervalMs: 10_000,
      heartbeatIntervalMs: 30_000,
      leaseMs: 30_000,
      maxConcurrency: 500,
      maxConcurrencyPerHost: 50,
      maxWebsocketsPerAddress: 12_000,
      maxSubscriptionsPerAddress: 20_000,
      maxAnswerBytes: 16_000_000,
      shutdownGraceMs: 25_000,
      executionRetentionDays: 30,
      eventRetentionHours: 24,
      auditRetentionDays: 365,
      blockedTargets: [
        '169.254.0.0/16',
        'fe80::/10',
        'fd00:ec2::254/128',
        'fd00:ec2::23/128',
        'fd20:ce::254/128',
        '100.100.100.200/32',
        '168.63.129.16/32',
        '192.0.0.192/32',
      ],
      redirectTargets: [],
      smtpUrl: undefined,
      alertEmailFrom: expect.stringMatching(/^job-scheduler@/) as string,
      alertSigningSecret: undefined,
      alertTimeoutMs: 10_000,
      alertMaxAttempts: 12,
      alertMaxPerMinute: 5,
      corsOrigins: [],
      allowedHosts: [],
      persistedOperations: 'off',
      persistedOperationsFile: undefined,
      graphiql: true,
      instanceName: expect.stringMatching(/^[A-Za-z0-9._-]{1,64}$/) as string,
      warnings: [],
    });
  });

  it('cannot be changed afterwards, lists included', () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.blockedTargets)).toBe(true);
    expect(Object.isFrozen(config.warnings)).toBe(true);
  });

  it('treats an empty variable as not set', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '' })).toMatchObject({ port: 3000, databaseUrl: undefined });
  });

  it('accepts port 0 for any free port', () => {
    expect(loadConfig({ PORT: '0' }).port).toBe(0);
  });

  it('lists all mistakes in one message, each with name, value and what is allowed', () => {
    const env = { PORT: '99999', NODE_ENV: 'staging', LOG_LEVEL: 'INFO', LEASE_MS: '5' };
    expect(() => loadConfig(env)).toThrow(
      new ConfigError([
        'PORT holds "99999"; allowed: a whole number from 0 to 65535.',
        'NODE_ENV holds "staging"; allowed: one of development, production, test.',
        'LOG_LEVEL holds "INFO"; allowed: one of error, warn, info, debug.',
        'LEASE_MS holds "5"; allowed: a whole number from 2000 to 3600000 (milliseconds).',
      ]),
    );
    expect(() => loadConfig(env)).toThrow(/^The configuration has 4 mistakes:\n {2}- PORT holds/);
  });

  it.each([
    'NaN',
    '1e3',
    '0x10',
    ' 5 ',
    '5s',
    '5.0',
    '-1',
    '-0',
    'Infinity',
    '９',
    '3000\n',
    '99999999999999999999',
  ])('refuses the number %j and shows it unchanged', (text) => {
    expect(mistakesOf({ POLL_INTERVAL_MS: text })).toEqual([
      `POLL_INTERVAL_MS holds ${JSON.stringify(text)}; allowed: a whole number from 100 to 600000 (milliseconds).`,
    ]);
  });

  it.each(['yes', '1', 'TRUE', ' true'])('refuses %j as a boolean', (text) => {
    expect(mistakesOf({ GRAPHIQL: text })).toEqual([`GRAPHIQL holds "${text}"; allowed: true or false.`]);
  });

  it.each([
    'smtp://localhost',
    'smtps://u:p%40ss@smtp.example.com:465',
    'smtp://[::1]:2525/',
    'SMTP://mail:25',
  ])('accepts %s as a mail server', (url) => {
    expect(loadConfig({ SMTP_URL: url }).smtpUrl).toBe(url);
  });

  it.each([
    ['smtp.example.com', 'smtp.example.com'],
    ['https://u:secret@smtp.example.com', 'https://u:***@smtp.example.com'],
    ['smtps://u:sec/ret@smtp.example.com', 'smtps://u:***@smtp.example.com'],
    ['smtps://u:sec#ret@smtp.example.com', 'smtps://u:***@smtp.example.com'],
    ['smtps://u:se%cret@smtp.example.com', 'smtps://u:***@smtp.example.com'],
  ])('refuses the mail server %s without showing the password', (url, shown) => {
    const [mistake] = mistakesOf({ SMTP_URL: url });
    expect(mistake).toContain(`SMTP_URL holds "${shown}"; allowed: a URL such as smtps://`);
  });

  it.each([
    [{}, 'scheduler@example.com'],
    [{ ALERT_EMAIL_FROM: 'Jobs <jobs@example.com>' }, 'Jobs <jobs@example.com>'],
    [{ ALERT_EMAIL_FROM: 'jobs@example.com' }, 'jobs@example.com'],
  ])('takes the sender of mail from its setting, else from the user of the mail server: %j', (env, from) => {
    const url = 'smtps://scheduler%40example.com:secret@smtp.example.com';
    expect(loadConfig({ SMTP_URL: url, ...env }).alertEmailFrom).toBe(from);
  });

  it.each(['jobs', 'Jobs <jobs>', 'a@b.test, c@d.test', 'Jobs\n<jobs@example.com>'])(
    'refuses %j as the sender of mail',
    (from) => {
      expect(mistakesOf({ ALERT_EMAIL_FROM: from })).toHaveLength(1);
    },
  );

  it('reads the key that signs webhooks, and never shows a refused key', () => {
    const key = Buffer.alloc(32, 7);
    const secret = `whsec_${key.toString('base64')}`;
    expect(loadConfig({ ALERT_SIGNING_SECRET: secret }).alertSigningSecret).toEqual(key);
    for (const wrong of ['s3cret', key.toString('base64'), 'whsec_c2hvcnQ=', `${secret}!`]) {
      expect(mistakesOf({ ALERT_SIGNING_SECRET: wrong })).toEqual([
        expect.stringMatching(/^ALERT_SIGNING_SECRET holds "\*\*\*"; allowed: whsec_/),
      ]);
    }
  });

  it.each([
    'postgresql://u:secret@db.example.com:5432/jobs',
    'postgres://u@localhost/jobs?sslmode=require',
    'postgresql:///jobs?host=/var/run/postgresql',
    'postgresql://u:p%40ss%2Fword@[::1]/jobs',
  ])('accepts %s as a connection string', (url) => {
    expect(loadConfig({ DATABASE_URL: url }).databaseUrl).toBe(url);
  });

  it.each([
    ['mysql://root:secret@localhost/jobs', 'mysql://root:***@localhost/jobs'],
    ['postgresql://u:sec/ret@localhost/jobs', 'postgresql://u:***@localhost/jobs'],
    ['postgresql://u:sec#ret@localhost/jobs', 'postgresql://u:***@localhost/jobs'],
    ['postgresql://u:1?secret@localhost/jobs', 'postgresql://u:***@localhost/jobs'],
    ['postgresql://u:se%cret@localhost/jobs', 'postgresql://u:***@localhost/jobs'],
    ['postgresql://u:secret', 'postgresql://u:***'],
    ['postgresql//u:secret@localhost/jobs', 'postgresql//u:***@localhost/jobs'],
    ['u:secret@localhost/jobs', 'u:***@localhost/jobs'],
    ['host=localhost password=secret user=u', 'host=localhost password=*** user=u'],
    ['mysql://localhost/jobs?user=u&password=secret', 'mysql://localhost/jobs?user=u&password=***'],
  ])('refuses %s without showing the password', (url, shown) => {
    const [mistake] = mistakesOf({ DATABASE_URL: url });
    expect(mistake).toContain(`DATABASE_URL holds "${shown}"; allowed: a connection string such as`);
  });

  it('reads address ranges, completes bare addresses, and empties the list on "none"', () => {
    expect(loadConfig({ BLOCKED_TARGETS: '10.0.0.0/8, 192.168.1.1,::1' }).blockedTargets).toEqual([
      '10.0.0.0/8',
      '192.168.1.1/32',
      '::1/128',
    ]);
    expect(loadConfig({ BLOCKED_TARGETS: 'none' }).blockedTargets).toEqual([]);
  });

  it.each(['10.0.0.0/33', '10.0.0/8', 'example.com', '10.0.0.0/8,', 'fe80::1%eth0', '::/129', '1.2.3.4/8/8'])(
    'refuses %s as address ranges',
    (text) => {
      expect(mistakesOf({ BLOCKED_TARGETS: text })).toEqual([
        expect.stringContaining(`BLOCKED_TARGETS holds "${text}"`),
      ]);
    },
  );

  it('reads origins as a browser sends them', () => {
    expect(
      loadConfig({ CORS_ORIGINS: 'https://App.example.com:443, http://localhost:5173' }).corsOrigins,
    ).toEqual(['https://app.example.com', 'http://localhost:5173']);
    expect(loadConfig({ CORS_ORIGINS: '*' }).corsOrigins).toEqual(['*']);
  });

  it.each([
    'https://app.example.com/',
    'app.example.com',
    'https://a.example/path',
    'https://a.example,*',
    'null',
  ])('refuses %s as origins, because no request would match', (text) => {
    expect(mistakesOf({ CORS_ORIGINS: text })).toEqual([
      expect.stringContaining(`CORS_ORIGINS holds "${text}"`),
    ]);
  });

  it.each(['300.1.1.1', '127.0.0.1:3000', '[::1]', 'a b', 'http://localhost', '-x'])(
    'refuses the host %s',
    (text) => {
      expect(mistakesOf({ HOST: text })).toEqual([expect.stringContaining(`HOST holds "${text}"`)]);
    },
  );

  it.each(['DATABASE_DIRECT_URL', 'DATABASE_MIGRATION_URL'])('refuses %s without DATABASE_URL', (name) => {
    expect(mistakesOf({ [name]: 'postgresql://localhost/jobs' })).toEqual([
      `${name} is set, but DATABASE_URL is not; allowed: both, or DATABASE_URL alone.`,
    ]);
  });

  it('does not report a refused DATABASE_URL as missing', () => {
    const env = { DATABASE_URL: 'nonsense', DATABASE_DIRECT_URL: 'postgresql://localhost/jobs' };
    expect(mistakesOf(env)).toEqual([expect.stringContaining('DATABASE_URL holds "nonsense"')]);
  });

  it('refuses a connect timeout longer than the lease', () => {
    expect(mistakesOf({ LEASE_MS: '5000', DATABASE_CONNECT_TIMEOUT_MS: '5000' })).toEqual([
      expect.stringContaining('DATABASE_CONNECT_TIMEOUT_MS holds "5000" and LEASE_MS "5000"'),
    ]);
  });

  it.each([
    ['https://scheduler.example.com/', 'https://scheduler.example.com'],
    ['http://10.0.0.7:8080/jobs//', 'http://10.0.0.7:8080/jobs'],
    ['HTTP://[::1]:3000', 'http://[::1]:3000'],
  ])('reads PUBLIC_URL %s as %s, without a slash at the end', (text, publicUrl) => {
    expect(loadConfig({ PUBLIC_URL: text }).publicUrl).toBe(publicUrl);
  });

  it.each([
    'scheduler.example.com',
    'ftp://example.com',
    'https://user:secret@example.com',
    'https://example.com/?a=b',
    'https://example.com/#top',
    'https://',
    'https://exa mple.com',
  ])('refuses PUBLIC_URL %s', (text) => {
    const [mistake] = mistakesOf({ PUBLIC_URL: text });
    expect(mistake).toMatch(/^PUBLIC_URL holds .*; allowed: an http or https URL/);
    expect(mistake).not.toContain('secret');
  });

  it('refuses one port for both the server and the embedded database', () => {
    expect(mistakesOf({ PORT: '4000', EMBEDDED_POSTGRES_PORT: '4000' })).toEqual([
      'PORT and EMBEDDED_POSTGRES_PORT both hold "4000"; allowed: two different ports.',
    ]);
  });

  it('warns about an open address, any origin and a short lease', () => {
    const { warnings } = loadConfig({
      HOST: '0.0.0.0',
      AUTH_MODE: 'none',
      I_KNOW_THIS_IS_OPEN: 'true',
      CORS_ORIGINS: '*',
      LEASE_MS: '3000',
    });
    expect(warnings.map((warning) => warning.split(' is ')[0])).toEqual([
      'HOST',
      'PUBLIC_URL',
      'ALLOWED_HOSTS',
      'CORS_ORIGINS',
      'LEASE_MS',
    ]);
  });

  it('does not require a public address when there is one', () => {
    const env = { HOST: '0.0.0.0', AUTH_MODE: 'keys', PUBLIC_URL: 'https://scheduler.example.com' };
    expect(loadConfig(env).warnings).toEqual([]);
  });

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])(
    'lets everybody in on %s, unless it is told',
    (HOST) => {
      expect(loadConfig({ HOST }).authMode).toBe('none');
      expect(loadConfig({ HOST, AUTH_MODE: 'keys' }).authMode).toBe('keys');
    },
  );

  it.each<[string, Record<string, string>]>([
    ['nothing else', {}],
    ['AUTH_MODE=none', { AUTH_MODE: 'none' }],
    ['I_KNOW_THIS_IS_OPEN alone', { I_KNOW_THIS_IS_OPEN: 'true' }],
    ['a key alone', { BOOTSTRAP_ADMIN_KEY: KEY }],
  ])('refuses an address that others reach with %s, and says how to go on', (_what, env) => {
    for (const HOST of ['0.0.0.0', '::', '192.168.1.7', 'jobs.example.com']) {
      const [mistake, ...others] = mistakesOf({ HOST, ...env });
      expect(others).toEqual([]);
      expect(mistake).toContain(`HOST holds "${HOST}"`);
      expect(mistake).toContain('allowed: AUTH_MODE=keys');
      expect(mistake).toContain('AUTH_MODE=none and I_KNOW_THIS_IS_OPEN=true');
    }
  });

  it('never shows a refused key', () => {
    const broken = `${KEY.slice(0, -1)}${KEY.endsWith('0') ? '1' : '0'}`;
    expect(mistakesOf({ BOOTSTRAP_ADMIN_KEY: broken })).toEqual([
      expect.stringMatching(/^BOOTSTRAP_ADMIN_KEY holds "\*\*\*"; allowed: a key as/),
    ]);
    expect(loadConfig({ AUTH_MODE: 'keys', BOOTSTRAP_ADMIN_KEY: KEY }).bootstrapAdminKey?.text).toBe(KEY);
  });

  it('warns about a key that has no effect', () => {
    expect(loadConfig({ BOOTSTRAP_ADMIN_KEY: KEY }).warnings).toEqual([
      'BOOTSTRAP_ADMIN_KEY has no effect, since AUTH_MODE is not keys.',
    ]);
  });

  it.each([
    ['POLL_INTERVALL_MS', 'POLL_INTERVAL_MS'],
    ['POLL_INTERVAL', 'POLL_INTERVAL_MS'],
    ['LEASE_SECONDS', 'LEASE_MS'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['log_level', 'LOG_LEVEL'],
    ['MAX_CONCURENCY', 'MAX_CONCURRENCY'],
    ['DATABASE_URI', 'DATABASE_URL'],
  ])('suggests for %s the name %s', (unknown, meant) => {
    expect(loadConfig({ [unknown]: '1' }).warnings).toEqual([
      `${unknown} is not a variable of the scheduler; did you mean ${meant}?`,
    ]);
  });

  it('does not report names that are only similar', () => {
    const foreign = [
      'HOME',
      'HOSTNAME',
      'PATH',
      'PORTS',
      'NODE_OPTIONS',
      'PGHOST',
      'LOGNAME',
      'TEST',
      'LANG',
      'NODE',
    ];
    expect(loadConfig(Object.fromEntries(foreign.map((name) => [name, 'x']))).warnings).toEqual([]);
  });
});

describe('configReference', () => {
  it('shows an example for every variable that the parser accepts, except for the secret key', () => {
    const env = Object.fromEntries(configReference().map(({ name, example }) => [name, example]));
    expect(mistakesOf(env)).toEqual([expect.stringContaining('ALERT_SIGNING_SECRET holds "***"')]);
  });
});
