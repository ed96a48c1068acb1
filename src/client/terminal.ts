// A client for trying things by hand: prints every envelope in and out, sends the lines that are typed, reconnects, and
// resumes its subscriptions where they were. At the end of its input it waits for what is still to come, and ends.

import { createInterface } from 'node:readline';
import {
  type Client,
  type ClientState,
  createClient,
  Refused,
  type ServerFrame,
  type TokenReason,
} from './index.ts';
import { type GetToken, keepToken, logIn } from './login.ts';
import { askPassword } from './password.ts';
import { createPrinter } from './printer.ts';
import { type Arguments, fullHelp, readArguments } from './terminal-arguments.ts';
import { readLine } from './terminal-input.ts';

/** At the end of the input: how long to wait for what is still to come. */
const farewellMs = 5_000;

class Terminal {
  readonly #getToken: GetToken;
  readonly #printer = createPrinter();
  readonly #client: Client;
  readonly #quit = Promise.withResolvers<void>();
  #isReading = false;
  #chatId: string | undefined;
  #frames = 0;
  #farewell: { id: string; isAnswered: boolean } | undefined;

  constructor(server: URL, getToken: GetToken) {
    this.#getToken = getToken;
    this.#client = createClient({
      url: server.href,
      getToken: (reason) => this.#findToken(reason),
      onFrame: (frame) => this.#receive(frame),
      onSend: (frame) => this.#printer.sent(frame),
      onLost: ({ code, reason }) => this.#printer.note(`Closed with ${code} ${reason}`.trimEnd()),
    });
  }

  /** Until the user quits or the input ends. Throws when the server wants no more of this user. */
  async run(): Promise<void> {
    this.#client.onState((state) => this.#follow(state));
    this.#client.connect();
    await this.#quit.promise;
    this.#client.close();
  }

  #follow(state: ClientState): void {
    switch (state.name) {
      case 'connecting':
        if (state.inMs === 0) return;
        this.#printer.note(`Reconnecting in ${Math.round(state.inMs)} ms (attempt ${state.attempt}).`);
        return;
      case 'connected':
        if (!this.#isReading) this.#read();
        return;
      case 'error':
        this.#quit.reject(state.error);
    }
  }

  /** Undefined: there is none any more. */
  async #findToken(reason: TokenReason): Promise<string | undefined> {
    try {
      return await this.#getToken(reason);
    } catch (error) {
      if (error instanceof Refused && error.code === 'unauthorized') this.#quit.reject(error);
      else this.#printer.note(messageOf(error));
      throw error;
    }
  }

  #receive(frame: ServerFrame): void {
    this.#printer.received(frame);
    if (frame.type === 'welcome') {
      const { positions } = this.#client;
      for (const topic of positions.topics) {
        this.#printer.note(`Resuming ${topic} since ${positions.get(topic)?.seq}.`);
      }
    }
    if (this.#farewell === undefined) return;
    if (this.#farewell.id === frame.id) this.#farewell.isAnswered = true;
    queueMicrotask(() => {
      // The client has made something of the frame by now.
      if (this.#farewell?.isAnswered && this.#client.positions.areCaughtUp) this.#quit.resolve();
    });
  }

  #read(): void {
    this.#isReading = true;
    const lines = createInterface({ input: process.stdin });
    lines.on('line', (line) => this.#type(line));
    lines.on('close', () => this.#endInput());
  }

  #type(line: string): void {
    const input = readLine(line, this.#chatId, () => this.#createId());
    switch (input.kind) {
      case 'nothing':
        return;
      case 'send':
        this.#send(input.frame);
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
    this.#send(JSON.stringify({ id: this.#farewell.id, type: 'ping' }));
  }

  /** As it was typed: what it means, and whether it is allowed, is the server's to say. */
  #send(text: string): void {
    if (this.#client.state.name !== 'connected') {
      this.#printer.note('Not connected, so this was not sent. Try again in a moment.');
      return;
    }
    const { type, topic } = readOwnFrame(text);
    if (type === 'unsubscribe' && topic !== undefined) this.#client.positions.forget(topic);
    this.#printer.sent(text);
    this.#client.sendText(text);
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

async function readLogin(given: Exclude<Arguments, { kind: 'help' }>): Promise<GetToken> {
  if (given.kind === 'token') return keepToken(given.token);
  const { email, name, password = await askPassword(email) } = given.account;
  return await logIn(given.server, { email, password, name });
}

/** What a typed frame says about itself; nothing where it is no envelope: the server is to say so. */
function readOwnFrame(text: string): { type?: string; topic?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
