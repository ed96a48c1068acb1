// Carries frames between instances. Only a hint: what it loses, delays, repeats or reorders is mended from the log.
// Every variant passes the suite in test/realtime/bridge/bridge.test.ts.

import type { EventPosition } from '../../protocol/envelope.ts';
import type { LoggedEvent } from '../log/event-log.ts';

/** An event without a seq, in its wire form. */
export interface EphemeralFrame {
  readonly topic: string;
  readonly seq?: undefined;
  readonly frame: string;
  readonly exceptUserIds: readonly string[] | undefined;
  readonly exceptHearersOf: EventPosition | undefined;
}

export type BridgeFrame = LoggedEvent | EphemeralFrame;

export interface Bridge {
  /**
   * `receive` gets the frames of other instances on served topics, with the epoch that they were published under; never
   * this instance's own, and never those of another log. `onGap` says that frames
   * may have been missed and that new ones arrive again: every served topic is to be compared with the log, now. Call
   * once, first. Never fails, and waits no longer than a second: a bridge that is away comes later.
   */
  start(receive: (frame: BridgeFrame, epoch: string) => void, onGap: () => void): Promise<void>;
  /**
   * Resolves when frames published from now on will arrive, or when the bridge is away and nothing will. One `release`
   * ends it, however many calls there were.
   */
  serve(topic: string): Promise<void>;
  release(topic: string): void;
  /**
   * Never waits and never throws; a frame may be lost. Frames of one topic keep their order while nothing fails. False where
   * it was not sent at all.
   */
  publish(frame: BridgeFrame, epoch: string): boolean;
  /** False while frames of other instances may be missing: the log is then asked about every topic, every second. */
  readonly isComplete: boolean;
  /** `none`: there is nothing between instances. */
  readonly status: 'up' | 'down' | 'none';
  /** Sends what was published, then closes. */
  stop(): Promise<void>;
}
