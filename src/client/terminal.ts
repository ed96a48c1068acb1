// A client for trying things by hand: prints every envelope in and out, sends the lines that are typed, reconnects, and
// resumes its subscriptions where they were. At the end of its input it waits for what is still to come, and ends.

import { createInterface } from 'node:readline';
import { closeCodes } from '../protocol/envelope.ts';
import { type Login, logIn, useToken } from './login.ts';
import { askPassword } from './password.ts';
import { createPrinter, openSocket, Positions, Refused, type ServerFrame } from './session.ts';
import { type Arguments, fullHelp, readArguments } from './terminal-arguments.ts';
import { readLine } from './terminal-input.ts';

/** First and longest wait before a reconnect. Each wait is random below them, so that many clients spread. */
const backoffMs = { first: 1_000, longest: 32_000 };

/** At the end of the input: how long to wait for what is still to come. */
const farewellMs = 5_000;

class Terminal {
  readonly #server: URL;
  readonly #login: Login;
  readonly #printer = createPrinter();
  readonly #positions = new Positions();
  /** Topics of subscribe frames that wait for their reply, by the id of the frame. */
  readonly #subscribing = new Map<string, string>();
  readonly #quit = Promise.withResolvers<void>();
  #socket: WebSocket | undefined;
  #isLive = false;
  #isReading = false;
  #chatId: string | undefined;
  #frames = 0;
  #farewell: { id: string; isAnswered: boolean } | undefined;

  constructor(server: URL, login: Login) {
    this.#server = server;
    this.#login = login;
  }

  /** Until the user quits or the input ends. Throws when the server wants no more of this user. */
  async run(): Promise<void> {
    await Promise.race([this.#quit.promise, this.#stayConnected()]);
    this.#socket?.close(1000);
  }

  async #stayConnected(): Promise<never> {
    for (let attempt = 1; ; attempt += 1) {
      const { code, reason, wasLive } = await this.#connect();
      this.#printer.note(`Closed with ${code} ${reason}`.trimEnd());
      if (code === closeCodes.revoked) throw new Error('The session is over: log in again.');
      if (wasLive) attempt = 1;
      const waitMs = Math.random() * Math.min(backoffMs.longest, backoffMs.first * 2 ** (attempt - 1));
      this.#printer.note(`Reconnecting in ${Math.round(waitMs)} ms (attempt ${attempt}).`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (code === closeCodes.unauthorized) await this.#signInAgain();
    }
  }

  /** One connection, from its beginning to its end. */
  async #connect(): Promise<{ code: number; reason: string; wasLive: boolean }> {
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    this.#socket = openSocket(this.#server, this.#login.token, {
      onFrame: (frame) => this.#receive(frame),
      onClose: (code, reason) => closed.resolve({ code, reason }),
    });
    const end = await closed.promise;
    const wasLive = this.#isLive;
    this.#isLive = false;
    this.#subscribing.clear();
    return { ...end, wasLive };
  }

  #receive(frame: ServerFrame): void {
    this.#printer.received(frame);
    this.#positions.note(frame);
    if (frame.type === 'welcome') this.#begin();
    else if (frame.type === 'auth.expiring') void this.#renew();
    else if (frame.id !== undefined) this.#settle(frame.id, frame.type);
    if (this.#farewell?.isAnswered && this.#positions.areCaughtUp) this.#quit.resolve();
  }

  #begin(): void {
    this.#isLive = true;
    for (const request of this.#positions.resume()) {
      this.#printer.note(`Resuming ${request.topic} since ${request.payload.since}.`);
      this.#send({ id: this.#createId(), ...request });
    }
    if (this.#isReading) return;
    this.#isReading = true;
    const lines = createInterface({ input: process.stdin });
    lines.on('line', (line) => this.#type(line));
    lines.on('close', () => this.#endInput());
  }

  /** The reply to one of our own frames; ids of events are nobody's here. */
  #settle(id: string, type: string): void {
    const topic = this.#subscribing.get(id);
    if (topic !== undefined && type === 'error') this.#positions.forget(topic);
    this.#subscribing.delete(id);
    if (this.#farewell?.id === id) this.#farewell.isAnswered = true;
  }

  #type(line: string): void {
    const input = readLine(line, this.#chatId, () => this.#createId());
    switch (input.kind) {
      case 'nothing':
        return;
      case 'send':
        this.#sendText(input.frame);
        return;
      case 'choose':
        this.#chatId = input.chatId;
        this.#printer.note(`Plain text goes to chat:${input.chatId} now.`);
        return;
      case 'tell':
        this.#printer.note(input.text);
        return;
      case 'quit':
        this.#quit.resolve();
        return;
    }
  }

  #endInput(): void {
    setTimeout(() => this.#quit.resolve(), farewellMs);
    // Replies come in the order of the frames: the one to this comes behind all others. [E6]
    this.#farewell = { id: this.#createId(), isAnswered: false };
    this.#send({ id: this.#farewell.id, type: 'ping' });
  }

  #send(frame: object): void {
    this.#sendText(JSON.stringify(frame));
  }

  #sendText(text: string): void {
    if (!this.#isLive) {
      this.#printer.note('Not connected, so this was not sent. Try again in a moment.');
      return;
    }
    const { id, type, topic } = readOwnFrame(text);
    if (type === 'subscribe' && id !== undefined && topic !== undefined) this.#subscribing.set(id, topic);
    if (type === 'unsubscribe' && topic !== undefined) this.#positions.forget(topic);
    this.#printer.sent(text);
    this.#socket?.send(text);
  }

  /** In place, so that the connection lives on behind the end of its first token. [H4] */
  async #renew(): Promise<void> {
    try {
      await this.#login.renew();
      this.#send({ id: this.#createId(), type: 'auth', payload: { token: this.#login.token } });
    } catch (error) {
      this.#printer.note(messageOf(error)); // the connection ends with its token, and the next one logs in
    }
  }

  async #signInAgain(): Promise<void> {
    try {
      await this.#login.again();
    } catch (error) {
      if (error instanceof Refused && error.code === 'unauthorized') throw error;
      this.#printer.note(messageOf(error));
    }
  }

  #createId(): string {
    this.#frames += 1;
    return `t${this.#frames}`;
  }
}

try {
  const given = readArguments(process.argv.slice(2), process.env);
  if (given.kind === 'help') process.stdout.write(`${fullHelp}\n`);
  else await new Terminal(given.server, await readLogin(given)).run();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
}

async function readLogin(given: Exclude<Arguments, { kind: 'help' }>): Promise<Login> {
  if (given.kind === 'token') return useToken(given.token);
  const { email, name, password = await askPassword(email) } = given.account;
  return await logIn(given.server, { email, password, name });
}

/** What a typed frame says about itself; nothing where it is no envelope: the server is to say so. */
function readOwnFrame(text: string): { id?: string; type?: string; topic?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
