// A NestJS gateway over Socket.IO, as `nest generate gateway` lays it out, written without the decorators' syntax. With
// DATABASE_URL messages are stored.

import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import { createMessageTable } from './message-table.mjs';

const { DATABASE_URL } = process.env;
const store = DATABASE_URL ? await createMessageTable(DATABASE_URL) : undefined;

class BenchGateway {
  join({ topics }, socket) {
    socket.join(topics);
    return true;
  }

  publish({ topic, data }) {
    this.server.to(topic).emit('message', data);
  }

  async send({ topic, data }) {
    const id = await store(topic, data);
    this.server.to(topic).emit('message', { id, data });
    return { id };
  }
}

WebSocketGateway({ transports: ['websocket'], serveClient: false })(BenchGateway);
WebSocketServer()(BenchGateway.prototype, 'server');
for (const name of ['join', 'publish', 'send']) {
  const method = Object.getOwnPropertyDescriptor(BenchGateway.prototype, name);
  SubscribeMessage(name)(BenchGateway.prototype, name, method);
  MessageBody()(BenchGateway.prototype, name, 0);
  if (name === 'join') ConnectedSocket()(BenchGateway.prototype, name, 1);
}

class BenchModule {}
Module({ providers: [BenchGateway] })(BenchModule);

const app = await NestFactory.create(BenchModule, { logger: false });
await app.listen(0, '127.0.0.1');
console.log(JSON.stringify({ ready: true, port: app.getHttpServer().address().port }));
