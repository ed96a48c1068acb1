// Members who read everything as it comes: for every message that one of them gets it says so, and waits for no answer.

import { decodeText, encodeFrame, type LoadSocket } from './socket.ts';

export interface ReadFigures {
  /** Sent while it was measured, and answered. */
  readonly readsPerSecond: number;
  readonly answersPerSecond: number;
  /** How far the head of the room's topic moved for each message in it. */
  readonly placesPerMessage: number;
}

/** Of every read: none of them is waited for, so no two have to be told apart. */
const readId = 'r';
const answersWithinMs = 5_000;

/** For one room. */
export function createReader(topic: string) {
  const prefix = `{"type":"message.created","topic":"${topic}","seq":`;
  const chatId = topic.slice('chat:'.length);
  const counts = { sent: 0, answered: 0, refused: 0 };
  let firstRefusal = '';
  /** The first member to get a message; what it gets stands for what is in the room. */
  let witness: LoadSocket | undefined;
  let seen = { messages: 0, seq: 0 };

  return {
    /** So much of a frame has to be seen: the prefix and a seq. */
    peekBytes: prefix.length + 16,

    /** Any event of the room. */
    onEvent(socket: LoadSocket, bytes: Uint8Array, start: number): void {
      if (!isMessage(bytes, start)) return;
      const seq = readNumber(bytes, start + prefix.length);
      witness ??= socket;
      if (socket === witness) seen = { messages: seen.messages + 1, seq };
      counts.sent += 1;
      socket.write(
        encodeFrame(JSON.stringify({ id: readId, type: 'message.read', payload: { chatId, seq } })),
      );
    },
    onAnswer(): void {
      counts.answered += 1;
    },
    /** Whether it was a read that was refused. */
    takesRefusal(bytes: Uint8Array, start: number, length: number): boolean {
      const text = decodeText(bytes, start, length);
      if (!text.includes(`"id":"${readId}"`)) return false;
      firstRefusal ||= text;
      counts.refused += 1;
      return true;
    },
    /** Starts to count; answers what ends it. */
    start(): (seconds: number) => ReadFigures {
      const [before, seenBefore] = [{ ...counts }, seen];
      return (seconds) => ({
        readsPerSecond: (counts.sent - before.sent) / seconds,
        answersPerSecond: (counts.answered - before.answered) / seconds,
        placesPerMessage: (seen.seq - seenBefore.seq) / Math.max(1, seen.messages - seenBefore.messages),
      });
    },
    /** Waits until every read is answered. Throws where one is refused or has no answer. */
    async settle(): Promise<void> {
      const endsAt = performance.now() + answersWithinMs;
      while (counts.answered + counts.refused < counts.sent && performance.now() < endsAt)
        await Bun.sleep(10);
      const { sent, answered, refused } = counts;
      if (refused > 0)
        throw new Error(`Refused: ${refused} of ${sent} reads, the first with ${firstRefusal}`);
      if (answered < sent) throw new Error(`${sent - answered} of ${sent} reads got no answer.`);
    },
  };
}

const code = (text: string): number => text.charCodeAt(0);

/** {"type":"message.created": of what is on a chat's topic, nothing else has these letters at these places. */
const isMessage = (bytes: Uint8Array, start: number): boolean =>
  bytes[start + 9] === code('m') && bytes[start + 17] === code('c');

function readNumber(bytes: Uint8Array, start: number): number {
  let number = 0;
  for (let at = start; ; at += 1) {
    const digit = (bytes[at] ?? 0) - code('0');
    if (digit < 0 || digit > 9) return number;
    number = number * 10 + digit;
  }
}
