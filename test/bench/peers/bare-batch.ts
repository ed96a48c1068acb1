// The floor of a stored message: one process, one connection, and one statement for all that has come since the last one. It
// writes heads, events and messages into Carillon's own tables, and there is nothing around it: no rights, no keys. Speaks
// as much of Carillon's protocol as the load generator needs, so that the frames are as long.

import pg from 'pg';

interface Waiting {
  readonly socket: Bun.ServerWebSocket<string>;
  readonly frameId: string;
  readonly row: ReturnType<typeof toRow>;
}

/** Locks each head, and gives out the seqs below the new one in the order of arrival. */
const statement = `
  WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::uuid[],
      $8::text[], $9::text[]) WITH ORDINALITY
      AS asked(topic, id, chat_id, sender_id, content, at, event_id, payload, meta, place)
  ), raised AS (
    INSERT INTO topics AS t (name, head) SELECT topic, count(*) FROM asked GROUP BY topic ORDER BY topic
    ON CONFLICT (name) DO UPDATE SET head = t.head + excluded.head RETURNING name, head
  ), placed AS (
    SELECT asked.*, head + 1 - row_number() OVER (PARTITION BY topic ORDER BY place DESC) AS seq
    FROM asked JOIN raised ON name = topic
  ), logged AS (
    INSERT INTO events (topic, seq, id, type, at, payload, meta)
    SELECT topic, seq, event_id, 'message.created', at, (payload || seq || '}')::json, meta::json FROM placed
  ), written AS (
    INSERT INTO messages (id, chat_id, seq, sender_id, content, message_type, created_at)
    SELECT id, chat_id, seq, sender_id, content, 'text', at FROM placed
  )
  SELECT seq FROM placed ORDER BY place`;

const database = new pg.Client({ connectionString: process.env.DATABASE_URL });
await database.connect();
let waiting: Waiting[] = [];
let isWriting = false;

const server = Bun.serve<string>({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, self) {
    // Whoever the token names, signed or not.
    const [, claims = ''] = request.headers.get('authorization')?.split('.') ?? [];
    return self.upgrade(request, { data: JSON.parse(atob(claims)).sub })
      ? undefined
      : new Response('Expected a WebSocket.', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.send('{"type":"welcome"}');
    },
    message(socket, text) {
      const { id: frameId, type, payload } = JSON.parse(String(text));
      if (type === 'subscribe') {
        for (const { topic } of payload.topics) socket.subscribe(topic);
        socket.send(`{"type":"ok","id":"${frameId}"}`);
        return;
      }
      waiting.push({ socket, frameId, row: toRow(socket.data, frameId, payload) });
      if (isWriting) return;
      isWriting = true;
      setImmediate(writeAll); // with whatever else comes in this turn of the event loop
    },
  },
});
console.log(JSON.stringify({ ready: true, port: server.port }));

function toRow(senderId: string, frameId: string, { chatId, content }: { chatId: string; content: string }) {
  const id = Bun.randomUUIDv7();
  const at = new Date().toISOString();
  const message = {
    ...{ id, chatId, senderId, content, messageType: 'text', metadata: null, replyTo: null, mentions: [] },
    ...{ replyCount: 0, reactions: [], createdAt: at, editedAt: null, deletedAt: null },
  };
  const meta = JSON.stringify({ actorId: senderId, source: 'ws', correlationId: frameId });
  /** All but the seq, which the statement knows. */
  const payload = `${JSON.stringify(message).slice(0, -1)},"seq":`;
  return {
    topic: `chat:${chatId}`,
    id,
    chatId,
    senderId,
    content,
    at,
    eventId: Bun.randomUUIDv7(),
    payload,
    meta,
  };
}

/** While PostgreSQL has one batch, the one before is delivered. */
async function writeAll(): Promise<void> {
  let deliver = () => {};
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    const writing = write(batch);
    deliver();
    deliver = await writing;
  }
  isWriting = false;
  deliver();
}

/** Answers what tells everybody that it is written. */
async function write(batch: readonly Waiting[]): Promise<() => void> {
  const columns = [
    'topic',
    'id',
    'chatId',
    'senderId',
    'content',
    'at',
    'eventId',
    'payload',
    'meta',
  ] as const;
  const values = columns.map((column) => batch.map(({ row }) => row[column]));
  const { rows } = await database.query({ name: 'write', text: statement, values, rowMode: 'array' });
  return () => {
    batch.forEach(({ socket, frameId, row: { topic, payload } }, index) => {
      const seq = rows[index]?.[0];
      socket.send(
        `{"type":"ok","id":"${frameId}","payload":${payload}${seq},"events":[{"topic":"${topic}","seq":${seq}}]}}`,
      );
    });
    batch.forEach(({ row: { topic, eventId, at, payload, meta } }, index) => {
      const seq = rows[index]?.[0];
      server.publish(
        topic,
        `{"type":"message.created","topic":"${topic}","seq":${seq},"id":"${eventId}","at":"${at}","payload":${payload}${seq}},"meta":${meta}}`,
      );
    });
  };
}
