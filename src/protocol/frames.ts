// What of the envelopes can be said without schemas: constants, and the types of what the server says. Whoever checks nothing
// loads this without TypeBox, as the client does; the compiler holds the types against the schemas. [E, H, S, C]

export const protocolVersion = 1;
export const subprotocol = 'carillon.v1';

export type Source = 'ws' | 'http' | 'system';

/** Who or what caused an event. [E3] */
export interface EventMeta {
  actorId?: string;
  source: Source;
  correlationId?: string;
}

/** An event as it arrives at a subscriber. Durable ones have a `seq`. [E3] */
export interface EventFrame<Type extends string = string, Payload = unknown> {
  type: Type;
  topic: string;
  seq?: number;
  id: string;
  /** ISO 8601, UTC, milliseconds. */
  at: string;
  payload: Payload;
  meta: EventMeta;
}

/** Where an event that a command wrote stands. [O3] */
export interface EventPosition {
  topic: string;
  seq: number;
}

/** Of a snapshot, as JSON in UTF-8: common clients cut off frames of more than 1 MiB. [S3] */
export const maxSnapshotBytes = 524_288;

export interface WelcomePayload {
  connectionId: string;
  userId: string;
  sessionId: string;
  instanceId: string;
  protocol: number;
  /** When the access token ends, ISO 8601. */
  expiresAt: string;
  heartbeatMs: number;
  limits: {
    frameBytes: number;
    subscriptions: number;
    commandsPerSecond: number;
    snapshotBytes: number;
  };
}

export const closeCodes = {
  goingAway: 1001,
  tooBig: 1009,
  restart: 1012,
  overloaded: 1013,
  nonsense: 4400,
  unauthorized: 4401,
  revoked: 4403,
  authTimeout: 4408,
} as const;
