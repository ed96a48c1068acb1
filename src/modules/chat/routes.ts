// The HTTP door to chats.

import { Elysia } from 'elysia';
import type { Guard } from '../../auth/guard.ts';
import { errorsOf, keyHeaders } from '../../protocol/http.ts';
import { bodyOf, noBody, queryOf } from '../../protocol/http-input.ts';
import * as contract from './contract.ts';
import type { ChatService } from './service.ts';

export function createChatRoutes(guard: Guard, service: ChatService) {
  return new Elysia({ name: 'chat', prefix: '/chats' })
    .use(chatRoutes(guard, service))
    .use(memberRoutes(guard, service))
    .use(messageRoutes(guard, service));
}

const security = [{ bearer: [] }];

function chatRoutes(guard: Guard, { chats }: ChatService) {
  const tags = ['Chats'];
  return new Elysia()
    .use(guard)
    .post(
      '',
      async ({ actor, body, headers, status }) =>
        status(201, await chats.create(actor, body, headers['idempotency-key'])),
      {
        headers: keyHeaders,
        body: bodyOf(contract.CreateChat),
        response: {
          201: contract.Chat,
          ...errorsOf('invalid', 'unauthorized', 'conflict', 'too_large', 'rate_limited'),
        },
        detail: {
          summary: 'Create a group or a direct chat',
          description:
            'The creator is a member, and the admin of a group. A direct chat exists once for two users: creating it again answers the same chat.',
          tags,
          security,
        },
      },
    )
    .get('', ({ actor, query }) => chats.list(actor, query), {
      query: queryOf(contract.ChatsQuery),
      response: { 200: contract.ChatPage, ...errorsOf('invalid', 'unauthorized') },
      detail: { summary: 'My chats, newest activity first', tags, security },
    })
    .get('/:id', ({ actor, params }) => chats.get(actor, params.id), {
      params: contract.ChatParams,
      response: { 200: contract.Chat, ...errorsOf('invalid', 'unauthorized', 'not_found') },
      detail: { summary: 'A chat and its members', tags, security },
    })
    .patch('/:id', ({ actor, params, body }) => chats.rename(actor, params.id, body.name), {
      params: contract.ChatParams,
      body: bodyOf(contract.RenameChat),
      response: {
        200: contract.Chat,
        ...errorsOf(
          'invalid',
          'unauthorized',
          'forbidden',
          'not_found',
          'conflict',
          'too_large',
          'rate_limited',
        ),
      },
      detail: { summary: 'Rename a group, as its admin', tags, security },
    });
}

function memberRoutes(guard: Guard, { members }: ChatService) {
  const tags = ['Chats'];
  const refusals = errorsOf(
    'invalid',
    'unauthorized',
    'forbidden',
    'not_found',
    'conflict',
    'too_large',
    'rate_limited',
  );
  return new Elysia()
    .use(guard)
    .post(
      '/:id/members',
      async ({ actor, params, body, headers, status }) =>
        status(201, await members.add(actor, params.id, body.userId, headers['idempotency-key'])),
      {
        params: contract.ChatParams,
        headers: keyHeaders,
        body: bodyOf(contract.AddMember),
        response: { 201: contract.Member, ...refusals },
        detail: { summary: 'Add a member to a group, as its admin', tags, security },
      },
    )
    .patch(
      '/:id/members/:userId',
      ({ actor, params, body }) => members.changeRole(actor, params.id, params.userId, body.role),
      {
        params: contract.MemberParams,
        body: bodyOf(contract.ChangeRole),
        response: { 200: contract.Member, ...refusals },
        detail: { summary: 'Make a member an admin, or no longer one', tags, security },
      },
    )
    .delete('/:id/members/:userId', ({ actor, params }) => members.remove(actor, params.id, params.userId), {
      params: contract.MemberParams,
      body: noBody,
      response: { 200: contract.Departure, ...refusals },
      detail: {
        summary: 'Remove a member as an admin, or leave',
        description: 'When the last admin leaves, the member who joined first becomes one.',
        tags,
        security,
      },
    });
}

function messageRoutes(guard: Guard, { messages }: ChatService) {
  const tags = ['Messages'];
  return new Elysia()
    .use(guard)
    .get('/:id/messages', ({ actor, params, query }) => messages.list(actor, params.id, query), {
      params: contract.ChatParams,
      query: queryOf(contract.MessagesQuery),
      response: { 200: contract.MessagePage, ...errorsOf('invalid', 'unauthorized', 'not_found') },
      detail: {
        summary: 'Messages of a chat, ascending by seq',
        description:
          'The newest ones; with `before`, the newest of those with a lower seq; with `after`, the oldest of those with a higher seq. ' +
          '`nextCursor` is the `after` of the next page where `after` was given, otherwise its `before`.',
        tags,
        security,
      },
    })
    .post(
      '/:id/messages',
      async ({ actor, params, body, headers, status }) => {
        const input = { chatId: params.id, ...body };
        return status(201, (await messages.send(actor, input, headers['idempotency-key'])).value);
      },
      {
        params: contract.ChatParams,
        headers: keyHeaders,
        body: bodyOf(contract.SendMessageBody),
        response: {
          201: contract.Message,
          ...errorsOf('invalid', 'unauthorized', 'not_found', 'conflict', 'too_large', 'rate_limited'),
        },
        detail: { summary: 'Send a message', tags, security },
      },
    )
    .patch(
      '/:id/messages/:messageId',
      async ({ actor, params: { id: chatId, messageId }, body }) =>
        (await messages.edit(actor, { chatId, messageId, ...body })).value,
      {
        params: contract.MessageParams,
        body: bodyOf(contract.EditMessageBody),
        response: {
          200: contract.Message,
          ...errorsOf(
            'invalid',
            'unauthorized',
            'forbidden',
            'not_found',
            'conflict',
            'too_large',
            'rate_limited',
          ),
        },
        detail: { summary: 'Edit a message, as its sender', tags, security },
      },
    )
    .delete(
      '/:id/messages/:messageId',
      async ({ actor, params: { id: chatId, messageId } }) =>
        (await messages.remove(actor, { chatId, messageId })).value,
      {
        params: contract.MessageParams,
        body: noBody,
        response: {
          200: contract.Message,
          ...errorsOf('invalid', 'unauthorized', 'forbidden', 'not_found', 'too_large', 'rate_limited'),
        },
        detail: {
          summary: 'Delete a message, as its sender or an admin',
          description: 'It keeps its place and loses its content. Deleting it again changes nothing.',
          tags,
          security,
        },
      },
    )
    .post(
      '/:id/read',
      async ({ actor, params, body }) =>
        (await messages.read(actor, { chatId: params.id, seq: body.seq })).value,
      {
        params: contract.ChatParams,
        body: bodyOf(contract.ReadBody),
        response: {
          200: contract.ReadPosition,
          ...errorsOf('invalid', 'unauthorized', 'not_found', 'too_large', 'rate_limited'),
        },
        detail: {
          summary: 'Move my read position forward',
          description: 'A position behind the present one changes nothing.',
          tags,
          security,
        },
      },
    );
}
