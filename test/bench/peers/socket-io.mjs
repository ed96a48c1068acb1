// Socket.IO on Node, WebSocket alone. With REDIS_URL over several instances, with DATABASE_URL messages are stored: by one
// INSERT each, or, with ORDERED, in order and with a log.

import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { createMessageTable } from './message-table.mjs';
import { createOrderedTable } from './ordered-table.mjs';

const { REDIS_URL, DATABASE_URL, ORDERED } = process.env;
const createTable = ORDERED ? createOrderedTable : createMessageTable;
const io = new Server({ transports: ['websocket'], serveClient: false });
if (REDIS_URL) io.adapter(createAdapter(new Redis(REDIS_URL), new Redis(REDIS_URL)));
const store = DATABASE_URL ? await createTable(DATABASE_URL) : undefined;

io.on('connection', (socket) => {
  socket.on('join', ({ topics }, acknowledge) => {
    socket.join(topics);
    acknowledge();
  });
  socket.on('publish', ({ topic, data }) => {
    io.to(topic).emit('message', data);
  });
  socket.on('send', async ({ topic, data }, acknowledge) => {
    const id = await store(topic, data);
    io.to(topic).emit('message', { id, data });
    acknowledge({ id });
  });
});

io.listen(0);
io.httpServer.on('listening', () =>
  console.log(JSON.stringify({ ready: true, port: io.httpServer.address().port })),
);
