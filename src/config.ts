// The environment, read once, checked, and frozen. The only reader of process.env. A limit of 0 means none.
// What is read here is all that there is: a variable that looks like one of these, and is none, is refused.

import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';

export interface Config {
  readonly production: boolean;
  readonly port: number;
  readonly host: string;
  /** `postgres://…`; undefined: the embedded database under `dataDir`. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly databasePool: number;
  readonly redisUrl: string | undefined;
  /** At least 32 characters; undefined: generated and kept in `dataDir`. */
  readonly jwtSecret: string | undefined;
  readonly accessTokenSeconds: number;
  readonly refreshTokenDays: number;
  readonly adminEmails: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Under which people reach the server, without a slash at the end; undefined: mails have no links. */
  readonly publicUrl: string | undefined;
  /** `smtp://…`; undefined: mails are only logged, in production without what they say. */
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string;
  readonly eventsRetentionHours: number;
  readonly eventsRetentionPerTopic: number;
  readonly auditRetentionDays: number;
  readonly maxFrameBytes: number;
  readonly maxSubscriptions: number;
  /** On this instance, with credentials or without. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerUser: number;
  readonly maxCommandsPerSecond: number;
  readonly requestsPerMinute: number;
  readonly messagesPerMinute: number;
  readonly chatsPerHour: number;
  readonly publishesPerMinute: number;
  readonly topicsPerHour: number;
  readonly searchesPerMinute: number;
  readonly loginsPerMinute: number;
  readonly registrationsPerHour: number;
  readonly mailsPerHour: number;
  readonly drainSeconds: number;
  /** How many proxies stand in front; 0: `X-Forwarded-*` is ignored. */
  readonly trustProxy: number;
  /** Of the metrics alone; 0: any free one; undefined: none. */
  readonly metricsPort: number | undefined;
  /** Who asks for the metrics must have it; without a port of their own they are on the main one then. */
  readonly metricsToken: string | undefined;
  /** Where traces go, over HTTP; undefined: there are none. */
  readonly tracesEndpoint: string | undefined;
  /** Of the traces that begin here, the part that is sent: 0 to 1. */
  readonly tracesShare: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Names this instance in `welcome`, `/health/ready` and on the bridge. */
  readonly instanceId: string;
  /** The modules that are switched on, by name; none: all of them. */
  readonly modules: readonly string[];
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const logFormats = ['pretty', 'json'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFormat = (typeof logFormats)[number];

/** Every wrong value at once, each with what was expected. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

type Env = Record<string, string | undefined>;

/**
 * Throws ConfigError that names every wrong variable. An empty variable counts as not set. `descriptors`: how many files
 * and sockets this process may have open.
 */
export function readConfig(env: Env, descriptors = readDescriptorLimit()): Config {
  const { config, names, problems } = read(env, descriptors);
  const misspelt = findMisspelt(Object.keys(env), names).map(
    ({ name, nearest }) => `There is no variable ${name}. Is ${nearest} meant?`,
  );
  if (problems.length + misspelt.length > 0) throw new ConfigError([...problems, ...misspelt]);
  return Object.freeze(config);
}

/** Every variable that the configuration is made of. */
export function listVariables(): string[] {
  return [...read({}, Number.POSITIVE_INFINITY).names];
}

function read(env: Env, descriptors: number) {
  const problems: string[] = [];
  const names = new Set<string>();
  const text = (name: string): string | undefined => {
    names.add(name);
    return env[name]?.trim() || undefined;
  };

  const integer = (name: string, fallback: number, minimum: number, maximum: number): number => {
    const raw = text(name);
    if (raw === undefined) return fallback;
    const value = Number(raw);
    if (/^\d+$/.test(raw) && value >= minimum && value <= maximum) return value;
    problems.push(`${name} must be a whole number from ${minimum} to ${maximum}, but is "${raw}".`);
    return fallback;
  };

  const fraction = (name: string, fallback: number): number => {
    const raw = text(name);
    if (raw === undefined) return fallback;
    if (/^(?:0?\.\d+|[01](?:\.0+)?)$/.test(raw)) return Number(raw);
    problems.push(`${name} must be a number from 0 to 1, but is "${raw}".`);
    return fallback;
  };

  const oneOf = <T extends string>(name: string, fallback: T, options: readonly T[]): T => {
    const raw = text(name);
    if (raw === undefined) return fallback;
    const found = options.find((option) => option === raw);
    if (found === undefined) problems.push(`${name} must be one of ${options.join(', ')}, but is "${raw}".`);
    return found ?? fallback;
  };

  // Never echoes the value: URLs carry passwords.
  const url = (name: string, protocols: readonly string[], example: string): string | undefined => {
    const raw = text(name);
    if (raw === undefined) return undefined;
    const protocol = protocols.find((candidate) => raw.startsWith(`${candidate}//`));
    const parsable = raw
      .split(',')
      .every((part, index) => URL.canParse(index === 0 ? part : `tcp://${part}`));
    if (protocol === undefined || !parsable) problems.push(`${name} must be a URL like ${example}.`);
    return raw;
  };

  const list = (name: string): string[] =>
    (text(name) ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');

  const production = text('NODE_ENV') === 'production';
  const jwtSecret = text('JWT_SECRET');
  if (jwtSecret !== undefined && jwtSecret.length < 32) {
    problems.push(`JWT_SECRET must have at least 32 characters, but has ${jwtSecret.length}.`);
  }
  if (production && jwtSecret === undefined) {
    problems.push('JWT_SECRET must be set in production: at least 32 random characters.');
  }
  const metricsToken = text('METRICS_TOKEN');
  if (metricsToken !== undefined && !/^[\w.~+/=-]{16,}$/.test(metricsToken)) {
    problems.push('METRICS_TOKEN must have at least 16 of the characters A-Z a-z 0-9 - . _ ~ + / =');
  }
  const databaseUrl = url(
    'DATABASE_URL',
    ['postgres:', 'postgresql:'],
    'postgres://user:password@host:5432/name',
  );
  const dataDir = text('DATA_DIR');
  if (production && databaseUrl === undefined && dataDir === undefined) {
    problems.push('In production set DATABASE_URL, or set DATA_DIR to keep the embedded database there.');
  }
  for (const email of list('ADMIN_EMAILS')) {
    if (!/^[^@\s]+@[^@\s]+$/.test(email))
      problems.push(`ADMIN_EMAILS must list e-mail addresses, not "${email}".`);
  }
  for (const name of list('MODULES')) {
    if (!/^[a-z]+$/.test(name)) problems.push(`MODULES must list names like chat, not "${name}".`);
  }
  for (const origin of list('ALLOWED_ORIGINS')) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      problems.push(`ALLOWED_ORIGINS must list origins like https://example.com, not "${origin}".`);
    }
  }

  const publicUrl = url('PUBLIC_URL', ['http:', 'https:'], 'https://chat.example.com');
  if (publicUrl !== undefined && URL.canParse(publicUrl) && /[?#@]/.test(publicUrl)) {
    problems.push('PUBLIC_URL must be an address like https://chat.example.com, without ?, # and @.');
  }
  const mailFrom = text('MAIL_FROM') ?? 'carillon@localhost';
  if (!/^[^\r\n<>]*<?[^@\s<>]+@[^@\s<>]+>?$/.test(mailFrom)) {
    problems.push(`MAIL_FROM must be an address like Carillon <no-reply@example.com>, but is "${mailFrom}".`);
  }

  const maxConnections = integer('MAX_CONNECTIONS', connectionsWithin(descriptors), 0, 1_000_000);
  if (maxConnections > descriptors - reservedDescriptors && text('MAX_CONNECTIONS') !== undefined) {
    problems.push(
      `MAX_CONNECTIONS is ${maxConnections}, but this process may have ${descriptors} files and sockets open, of which ` +
        `${reservedDescriptors} are for others: raise that (ulimit -n), or lower MAX_CONNECTIONS.`,
    );
  }

  const config: Config = {
    production,
    port: integer('PORT', 3000, 0, 65_535),
    host: text('HOST') ?? '0.0.0.0',
    databaseUrl,
    dataDir: resolve(dataDir ?? './data'),
    databasePool: integer('DATABASE_POOL', 10, 1, 1_000),
    redisUrl: url('REDIS_URL', ['redis:', 'rediss:', 'redis+cluster:'], 'redis://host:6379'),
    jwtSecret,
    accessTokenSeconds: integer('ACCESS_TOKEN_SECONDS', 900, 1, 86_400),
    refreshTokenDays: integer('REFRESH_TOKEN_DAYS', 30, 1, 3_650),
    adminEmails: list('ADMIN_EMAILS').map((email) => email.toLowerCase()),
    allowedOrigins: list('ALLOWED_ORIGINS'),
    publicUrl: publicUrl?.replace(/\/+$/, ''),
    smtpUrl: url('SMTP_URL', ['smtp:', 'smtps:'], 'smtp://user:password@host:587'),
    mailFrom,
    eventsRetentionHours: integer('EVENTS_RETENTION_HOURS', 168, 0, 1_000_000),
    eventsRetentionPerTopic: integer('EVENTS_RETENTION_PER_TOPIC', 10_000, 0, 1_000_000_000),
    auditRetentionDays: integer('AUDIT_RETENTION_DAYS', 365, 0, 100_000),
    maxFrameBytes: integer('MAX_FRAME_BYTES', 65_536, 0, 16_777_216),
    maxSubscriptions: integer('MAX_SUBSCRIPTIONS', 200, 0, 1_000_000),
    maxConnections,
    maxConnectionsPerAddress: integer('MAX_CONNECTIONS_PER_ADDRESS', 1_000, 0, 1_000_000),
    maxConnectionsPerUser: integer('MAX_CONNECTIONS_PER_USER', 20, 0, 1_000_000),
    maxCommandsPerSecond: integer('MAX_COMMANDS_PER_SECOND', 100, 0, 1_000_000),
    requestsPerMinute: integer('RATE_REQUESTS_PER_MINUTE', 1_200, 0, 1_000_000_000),
    messagesPerMinute: integer('RATE_MESSAGES_PER_MINUTE', 30, 0, 1_000_000_000),
    chatsPerHour: integer('RATE_CHATS_PER_HOUR', 60, 0, 1_000_000_000),
    publishesPerMinute: integer('RATE_PUBLISHES_PER_MINUTE', 600, 0, 1_000_000_000),
    topicsPerHour: integer('RATE_TOPICS_PER_HOUR', 600, 0, 1_000_000_000),
    searchesPerMinute: integer('RATE_SEARCHES_PER_MINUTE', 120, 0, 1_000_000_000),
    loginsPerMinute: integer('RATE_LOGINS_PER_MINUTE', 10, 0, 1_000_000_000),
    registrationsPerHour: integer('RATE_REGISTRATIONS_PER_HOUR', 20, 0, 1_000_000_000),
    mailsPerHour: integer('RATE_MAILS_PER_HOUR', 10, 0, 1_000_000_000),
    drainSeconds: integer('DRAIN_SECONDS', 10, 0, 3_600),
    trustProxy: integer('TRUST_PROXY', 0, 0, 32),
    metricsPort: text('METRICS_PORT') === undefined ? undefined : integer('METRICS_PORT', 0, 0, 65_535),
    metricsToken,
    tracesEndpoint: url('OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:'], 'http://collector:4318'),
    tracesShare: fraction('OTEL_TRACES_SAMPLER_ARG', 1),
    logLevel: oneOf('LOG_LEVEL', 'info', logLevels),
    logFormat: oneOf('LOG_FORMAT', process.stdout.isTTY ? 'pretty' : 'json', logFormats),
    modules: list('MODULES'),
    instanceId: `${hostname().slice(0, 40)}-${crypto.randomUUID().slice(0, 8)}`,
  };
  return { config, names, problems };
}

/** 112 are the embedded database's, the others are connections to servers and what Bun itself needs. */
const reservedDescriptors = 160;

/** A quarter is left for requests over HTTP, which are descriptors, too, and are not counted. */
function connectionsWithin(descriptors: number): number {
  return Math.max(1, Math.min(1_000_000, Math.floor(descriptors * 0.75) - reservedDescriptors));
}

/** Bun raises it to the hard limit when it starts; without /proc the shell says what it is. */
function readDescriptorLimit(): number {
  const told = existsSync('/proc/self/limits')
    ? /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    : Bun.spawnSync(['sh', '-c', 'ulimit -n']).stdout.toString().trim();
  return Number(told) || Number.POSITIVE_INFINITY; // "unlimited"
}

/** Families of names that other programs and platforms use, too: of these only what is nearly one of ours counts. */
const sharedWords = new Set([
  'ACCESS',
  'ADMIN',
  'DATA',
  'DATABASE',
  'HOST',
  'LOG',
  'MAIL',
  'MAX',
  'NODE',
  'PORT',
  'PUBLIC',
  'REDIS',
  'SMTP',
]);

/** OpenTelemetry's packages read more of these by themselves, as for headers, certificates and batches. */
const foreignPrefix = 'OTEL_';

/** So many letters may be wrong for a name still to be taken for ours. */
const nearby = 2;

/**
 * The names that begin like a known one and are none, with the known one that is nearest: `RATE_LOGINS` as well as
 * `RATE_MESSAGE_PER_MINUTE`. In a typo nobody would notice that a limit is not set.
 */
function findMisspelt(given: readonly string[], known: ReadonlySet<string>) {
  const families = new Set([...known].flatMap(familiesOf));
  return given
    .filter((name) => !known.has(name) && name.includes('_') && !name.startsWith(foreignPrefix))
    .flatMap((name) => {
      const [nearest] = [...known]
        .map((candidate) => ({ name: candidate, distance: distanceBetween(name, candidate) }))
        .sort((a, b) => a.distance - b.distance);
      if (nearest === undefined) return [];
      const isOurs = familiesOf(name).some((family) => families.has(family)) || nearest.distance <= nearby;
      return isOurs ? [{ name, nearest: nearest.name }] : [];
    });
}

/** How a name begins: with its first word, unless that is a shared one, and with the first two of three or more. */
function familiesOf(name: string): string[] {
  const [first = '', second = '', third] = name.split('_');
  return [
    ...(sharedWords.has(first) || second === '' ? [] : [first]),
    ...(third === undefined ? [] : [`${first}_${second}`]),
  ];
}

/** Levenshtein's: letters that have to be added, removed or replaced. */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...b].entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
