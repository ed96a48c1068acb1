// ws on Node: topics are sets of sockets.

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
const topics = new Map();

sockets.on('connection', (socket, request) => {
  const query = new URL(request.url, 'http://localhost').searchParams;
  const publishesTo = query.get('publishesTo');
  for (const topic of query.get('topics').split(',')) {
    if (!topics.has(topic)) topics.set(topic, new Set());
    topics.get(topic).add(socket);
    socket.on('close', () => topics.get(topic).delete(socket));
  }
  if (!publishesTo) return;
  socket.on('message', (message) => {
    for (const subscriber of topics.get(publishesTo) ?? []) subscriber.send(message, { binary: false });
  });
});

server.listen(0, '127.0.0.1', () =>
  console.log(JSON.stringify({ ready: true, port: server.address().port })),
);
