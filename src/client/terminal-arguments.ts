// What the terminal client is started with: options, and variables for what the list of processes should not show. Pure.

import { parseArgs } from 'node:util';
import { defaultServer, parseServerUrl } from './http.ts';
import type { Account } from './login.ts';
import { help } from './terminal-input.ts';

export type Arguments =
  | { readonly kind: 'help' }
  /** Without a password: it has to be asked for. */
  | { readonly kind: 'account'; readonly server: URL; readonly account: Partial<Account> & { email: string } }
  | { readonly kind: 'token'; readonly server: URL; readonly token: string };

export const usage = `Usage: bun run client --email <email> [--register --name <name>] [--url <url>]
  --email     the user; the password is asked for, or comes from CARILLON_PASSWORD
  --register  become a user first, called --name
  --url       the server, http://… or ws://… (CARILLON_URL, else ${defaultServer})
  --password  the password. Everybody on this machine can see it in the list of processes
  --help      this, and what may be typed
Instead of --email: an access token in CARILLON_TOKEN.`;

export const fullHelp = `${usage}\n\nWhat you may type:\n${help}`;

/** Throws an Error that says what was expected. An empty variable counts as not set. */
export function readArguments(args: string[], env: Record<string, string | undefined>): Arguments {
  try {
    return parse(args, env);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${usage}`, { cause: error });
  }
}

function parse(args: string[], env: Record<string, string | undefined>): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: 'string' },
      email: { type: 'string' },
      password: { type: 'string' },
      register: { type: 'boolean', default: false },
      name: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { email, register, name } = values;
  if (values.help) return { kind: 'help' };
  const server = parseServerUrl(values.url ?? (env.CARILLON_URL || defaultServer));
  if (register !== Boolean(name)) throw new Error('Expected --register and --name together, or neither.');
  if (email) {
    const password = values.password || env.CARILLON_PASSWORD || undefined;
    return { kind: 'account', server, account: { email, password, name } };
  }
  const token = env.CARILLON_TOKEN?.trim();
  if (register || values.password || !token) {
    throw new Error('Expected --email, or an access token in CARILLON_TOKEN.');
  }
  if (!/^[\w.-]+$/.test(token))
    throw new Error('Expected an access token in CARILLON_TOKEN, but it is none.');
  return { kind: 'token', server, token };
}
