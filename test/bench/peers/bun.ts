// Raw Bun: what its native publish can do with nothing around it. With REDIS_URL over two instances, through ioredis.

import Redis from 'ioredis';

interface Visitor {
  readonly topics: readonly string[];
  readonly publishesTo: string;
}

const { REDIS_URL } = process.env;
const redis = REDIS_URL ? new Redis(REDIS_URL, { enableAutoPipelining: true }) : undefined;

const server = Bun.serve<Visitor>({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, self) {
    const query = new URL(request.url).searchParams;
    const topics = query.get('topics')?.split(',').filter(Boolean) ?? [];
    const data = { topics, publishesTo: query.get('publishesTo') ?? '' };
    return self.upgrade(request, { data })
      ? undefined
      : new Response('Expected a WebSocket.', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      for (const topic of socket.data.topics) socket.subscribe(topic);
    },
    message(socket, message) {
      const { publishesTo } = socket.data;
      if (redis === undefined) server.publish(publishesTo, message);
      else void redis.publish(publishesTo, message);
    },
  },
});

if (REDIS_URL) {
  const subscriber = new Redis(REDIS_URL);
  subscriber.on('message', (topic, message) => void server.publish(topic, message));
  await subscriber.subscribe(process.env.TOPIC ?? '');
}
console.log(JSON.stringify({ ready: true, port: server.port }));
