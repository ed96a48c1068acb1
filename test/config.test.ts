// The environment: checked at the start, every mistake named at once.

import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { ConfigError, listVariables, readConfig } from '../src/config.ts';
import { spawnServer } from './support/process.ts';

setDefaultTimeout(20_000);

/** Every variable with a wrong value, and a part of what must be said about it. */
const wrong: Record<string, [value: string, complaint: string]> = {
  PORT: ['65536', 'PORT must be a whole number from 0 to 65535, but is "65536".'],
  DATABASE_URL: ['mysql://user:hidden@host/db', 'DATABASE_URL must be a URL like postgres://'],
  DATABASE_POOL: ['0', 'DATABASE_POOL must be a whole number from 1'],
  REDIS_URL: ['localhost:6379', 'REDIS_URL must be a URL like redis://'],
  JWT_SECRET: ['too short', 'JWT_SECRET must have at least 32 characters, but has 9.'],
  ACCESS_TOKEN_SECONDS: ['-1', 'ACCESS_TOKEN_SECONDS must be'],
  REFRESH_TOKEN_DAYS: ['1.5', 'REFRESH_TOKEN_DAYS must be'],
  ADMIN_EMAILS: ['ann@example.com,bob', 'ADMIN_EMAILS must list e-mail addresses, not "bob".'],
  ALLOWED_ORIGINS: ['https://example.com/path', 'ALLOWED_ORIGINS must list origins like https://example.com'],
  MODULES: ['topics,Chat', 'MODULES must list names like chat, not "Chat".'],
  PUBLIC_URL: ['https://example.com/?a=b', 'PUBLIC_URL must be an address like https://chat.example.com'],
  SMTP_URL: ['mail.example.com:587', 'SMTP_URL must be a URL like smtp://'],
  MAIL_FROM: ['somebody', 'MAIL_FROM must be an address like Carillon <no-reply@example.com>'],
  AUDIT_RETENTION_DAYS: ['1 year', 'AUDIT_RETENTION_DAYS must be'],
  EVENTS_RETENTION_HOURS: ['a week', 'EVENTS_RETENTION_HOURS must be'],
  EVENTS_RETENTION_PER_TOPIC: ['1e4', 'EVENTS_RETENTION_PER_TOPIC must be'],
  MAX_FRAME_BYTES: ['64K', 'MAX_FRAME_BYTES must be'],
  MAX_SUBSCRIPTIONS: ['0x10', 'MAX_SUBSCRIPTIONS must be'],
  MAX_CONNECTIONS: ['a few', 'MAX_CONNECTIONS must be'],
  MAX_CONNECTIONS_PER_ADDRESS: ['-3', 'MAX_CONNECTIONS_PER_ADDRESS must be'],
  MAX_CONNECTIONS_PER_USER: ['+1', 'MAX_CONNECTIONS_PER_USER must be'],
  MAX_COMMANDS_PER_SECOND: ['many', 'MAX_COMMANDS_PER_SECOND must be'],
  RATE_REQUESTS_PER_MINUTE: ['-1', 'RATE_REQUESTS_PER_MINUTE must be'],
  RATE_MAILS_PER_HOUR: ['1/h', 'RATE_MAILS_PER_HOUR must be'],
  RATE_MESSAGES_PER_MINUTE: ['9'.repeat(400), 'RATE_MESSAGES_PER_MINUTE must be'],
  RATE_CHATS_PER_HOUR: ['-60', 'RATE_CHATS_PER_HOUR must be'],
  RATE_PUBLISHES_PER_MINUTE: ['1.0', 'RATE_PUBLISHES_PER_MINUTE must be'],
  RATE_TOPICS_PER_HOUR: ['none', 'RATE_TOPICS_PER_HOUR must be'],
  RATE_SEARCHES_PER_MINUTE: ['1,000', 'RATE_SEARCHES_PER_MINUTE must be'],
  RATE_LOGINS_PER_MINUTE: ['NaN', 'RATE_LOGINS_PER_MINUTE must be'],
  RATE_REGISTRATIONS_PER_HOUR: ['Infinity', 'RATE_REGISTRATIONS_PER_HOUR must be'],
  DRAIN_SECONDS: ['10s', 'DRAIN_SECONDS must be'],
  TRUST_PROXY: ['true', 'TRUST_PROXY must be'],
  METRICS_PORT: ['65536', 'METRICS_PORT must be a whole number from 0 to 65535, but is "65536".'],
  METRICS_TOKEN: ['too short', 'METRICS_TOKEN must have at least 16 of the characters'],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['collector:4318', 'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL like http'],
  OTEL_TRACES_SAMPLER_ARG: ['10%', 'OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, but is "10%".'],
  LOG_LEVEL: [
    'loud',
    'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, but is "loud".',
  ],
  LOG_FORMAT: ['xml', 'LOG_FORMAT must be one of pretty, json, but is "xml".'],
};

const wrongEnv = Object.fromEntries(Object.entries(wrong).map(([name, [value]]) => [name, value]));

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};

describe('the configuration', () => {
  test('works with nothing set', () => {
    expect(readConfig({})).toMatchObject({
      port: 3000,
      host: '0.0.0.0',
      databaseUrl: undefined,
      redisUrl: undefined,
      jwtSecret: undefined,
      accessTokenSeconds: 900,
      refreshTokenDays: 30,
      eventsRetentionHours: 168,
      eventsRetentionPerTopic: 10_000,
      maxFrameBytes: 65_536,
      maxSubscriptions: 200,
      maxConnectionsPerAddress: 1_000,
      maxConnectionsPerUser: 20,
      maxCommandsPerSecond: 100,
      messagesPerMinute: 30,
      chatsPerHour: 60,
      publishesPerMinute: 600,
      topicsPerHour: 600,
      searchesPerMinute: 120,
      loginsPerMinute: 10,
      registrationsPerHour: 20,
      mailsPerHour: 10,
      requestsPerMinute: 1_200,
      auditRetentionDays: 365,
      drainSeconds: 10,
      trustProxy: 0,
      metricsPort: undefined,
      metricsToken: undefined,
      tracesEndpoint: undefined,
      tracesShare: 1,
      logLevel: 'info',
    });
  });

  test('takes what is set, and counts what is empty as not set', () => {
    const config = readConfig({
      PORT: ' 8080 ',
      DATABASE_URL: 'postgresql://user:pass%40word@db.example.com:5432/carillon?sslmode=require',
      REDIS_URL: 'redis+cluster://a:7000,b:7001',
      ADMIN_EMAILS: 'Ann@Example.com, bob@example.com,',
      ALLOWED_ORIGINS: 'https://example.com,http://localhost:5173',
      LOG_LEVEL: '',
    });
    expect(config).toMatchObject({
      port: 8080,
      redisUrl: 'redis+cluster://a:7000,b:7001',
      adminEmails: ['ann@example.com', 'bob@example.com'],
      allowedOrigins: ['https://example.com', 'http://localhost:5173'],
      logLevel: 'info',
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('names every wrong value at once, and nothing else', () => {
    const problems = problemsOf(wrongEnv);
    expect(problems).toHaveLength(Object.keys(wrong).length);
    for (const [name, [, complaint]] of Object.entries(wrong)) {
      expect([name, problems.some((problem) => problem.includes(complaint))]).toEqual([name, true]);
    }
  });

  test('never repeats a URL: it may carry a password', () => {
    expect(problemsOf({ DATABASE_URL: 'mysql://user:hidden@host/db' }).join()).not.toContain('hidden');
    expect(problemsOf({ JWT_SECRET: 'hidden' }).join()).not.toContain('hidden');
  });

  test('in production wants a secret, and a database or a folder for one', () => {
    expect(problemsOf({ NODE_ENV: 'production' })).toHaveLength(2);
    const JWT_SECRET = 'x'.repeat(32);
    expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET, DATA_DIR: '/var/lib/carillon' })).toEqual([]);
    expect(
      problemsOf({ NODE_ENV: 'production', JWT_SECRET, DATABASE_URL: 'postgres://db/carillon' }),
    ).toEqual([]);
  });

  test('is the end of the process where it is wrong: exit 1, and one message for all of it', async () => {
    const failure = await spawnServer(wrongEnv).catch(String);
    expect(failure).toContain('ended with code 1');
    expect(failure).toContain('The configuration is wrong:');
    for (const name of Object.keys(wrong)) expect(failure).toContain(`  - ${name} must`);
    expect(failure).not.toContain('    at '); // no stack: it is not a bug
  });
});

describe('variables that look like ours', () => {
  test.each([
    ['RATE_MESSAGE_PER_MINUTE', 'RATE_MESSAGES_PER_MINUTE'],
    ['RATE_REGISTRATIONS', 'RATE_REGISTRATIONS_PER_HOUR'],
    ['EVENTS_RETENTION_DAYS', 'EVENTS_RETENTION_HOURS'],
    ['MAX_CONNECTIONS_PER_IP', 'MAX_CONNECTIONS_PER_USER'],
    ['MAX_SUBSCRIPTION', 'MAX_SUBSCRIPTIONS'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['REDIS_ULR', 'REDIS_URL'],
    ['ADMIN_EMAIL', 'ADMIN_EMAILS'],
    ['LOG_LEVELS', 'LOG_LEVEL'],
    ['JWT_KEY', 'JWT_SECRET'],
  ])('%s is refused, and %s is named', (name, nearest) => {
    expect(problemsOf({ [name]: 'anything' })).toEqual([
      `There is no variable ${name}. Is ${nearest} meant?`,
    ]);
  });

  test('what shells, platforms and other programs set is left alone', () => {
    const others = [
      'HOSTNAME',
      'PATH',
      'LOGNAME',
      'NODE_OPTIONS',
      'NODE_PATH',
      'LOG_DIR',
      'DATA_ROOT',
      'MAX_WORKERS',
      'OTEL_SERVICE_NAME',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'PUBLIC_DIR',
      'SMTP_HOST',
      'MAIL_DOMAIN',
    ];
    // As Kubernetes and Docker make them for a neighbour that is called "redis".
    const links = [
      'REDIS_PORT',
      'REDIS_SERVICE_HOST',
      'REDIS_SERVICE_PORT',
      'REDIS_PORT_6379_TCP_ADDR',
      'DATABASE_HOST',
    ];
    const env = Object.fromEntries([...others, ...links, ...listVariables()].map((name) => [name, '']));
    expect(problemsOf(env)).toEqual([]);
  });
});

describe('connections and descriptors', () => {
  test('without MAX_CONNECTIONS there are fewer than the process may have descriptors', () => {
    for (const descriptors of [100, 256, 1_024, 20_000, 1_048_576]) {
      const { maxConnections } = readConfig({}, descriptors);
      expect(maxConnections).toBeGreaterThan(0);
      expect(maxConnections).toBeLessThan(descriptors * 0.75);
    }
    expect(readConfig({}).maxConnections).toBeGreaterThan(0);
  });

  test('more than there can be are refused, and none at all is no limit', () => {
    const failure = () => readConfig({ MAX_CONNECTIONS: '1000' }, 1_024);
    expect(failure).toThrow('but this process may have 1024 files and sockets open');
    expect(readConfig({ MAX_CONNECTIONS: '800' }, 1_024).maxConnections).toBe(800);
    expect(readConfig({ MAX_CONNECTIONS: '0' }, 1_024).maxConnections).toBe(0);
  });
});

describe('what is said about the variables', () => {
  const root = join(import.meta.dir, '..');
  const readText = (name: string) => Bun.file(join(root, name)).text();

  test('.env.example has each of them once, with its default', async () => {
    const lines = (await readText('.env.example')).split('\n').filter((line) => /^# [A-Z_]+=/.test(line));
    const entries = lines.map((line) => line.slice(2).split('=') as [string, string]); // both are there: see above
    expect(entries.map(([name]) => name).sort()).toEqual(listVariables().sort());
    const { instanceId: _, ...defaults } = readConfig({}, 1_024);
    expect(readConfig(Object.fromEntries(entries), 1_024)).toMatchObject(defaults);
  });

  test('the README for operators has each of them in its table', async () => {
    const [, table = ''] = (await readText('deploy/README.md')).split('\n## Configuration\n');
    for (const name of listVariables()) expect(table).toContain(`\`${name}`);
  });

  test('.env, which Bun reads and which holds secrets, stays out of git and of the image', async () => {
    for (const file of ['.gitignore', '.dockerignore']) {
      expect((await readText(file)).split('\n')).toContain('.env');
    }
  });
});
