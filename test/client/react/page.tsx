// The page of react.test.ts: a small chat on the hooks, in StrictMode. The test moves it through `window.chatPage`, and asks how
// many listeners are there still.

import { StrictMode, useState } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { type Client, createClient } from '../../../src/client/index.ts';
import {
  CarillonProvider,
  ConnectionIndicator,
  useClient,
  useCommand,
  useConnection,
  useEvent,
  useTopic,
} from '../../../src/client/react/index.ts';

export interface Given {
  readonly url: string;
  readonly token: string;
  readonly chatId: string;
}

export interface RenderOptions {
  readonly chats?: number;
  /** Else the one that was given. */
  readonly chatId?: string;
  /** False: there is no client. */
  readonly isLoggedIn?: boolean;
}

/** What the test calls. */
export interface ChatPage {
  /** Makes a client, and the next rendering uses it. */
  open(given: Given): void;
  render(options?: RenderOptions): void;
  /** So many times, each as long as it takes until everything is followed. */
  renderAndUnmount(times: number): Promise<void>;
  /** Renders a component that uses a hook outside of a provider; answers what is thrown. */
  renderOutside(): Promise<string>;
  count(): { listeners: number; topics: number; sockets: number };
}

declare global {
  interface Window {
    chatPage: ChatPage;
  }
}

function Chat({ chatId }: { chatId: string }) {
  const { state, status, error, topic } = useTopic(`chat:${chatId}`);
  const connection = useConnection();
  const send = useCommand();
  const [heard, setHeard] = useState(0);
  const [failure, setFailure] = useState('');
  useEvent('message.created', () => setHeard((count) => count + 1));
  const say = () =>
    send('message.send', { chatId, content: 'Hi' }).catch((refusal: Error) => setFailure(refusal.message));
  return (
    <section>
      <p className="status">{status}</p>
      <p className="connection">{connection.state.name}</p>
      <p className="messages">{state?.messages.length}</p>
      <p className="heard">{heard}</p>
      <p className="error">{error?.message}</p>
      <p className="failure">{failure}</p>
      <p className="topic">{topic?.name}</p>
      <button type="button" onClick={say}>
        Say
      </button>
    </section>
  );
}

/** Counts what is listened to, by what is asked for and ended at the client. */
function counted(client: Client): { readonly client: Client; count(): number } {
  let listeners = 0;
  const count = <Arguments extends unknown[]>(listen: (...given: Arguments) => () => void) => {
    return (...given: Arguments): (() => void) => {
      const stop = listen(...given);
      let isOver = false;
      listeners += 1;
      return () => {
        if (!isOver) listeners -= 1;
        isOver = true;
        stop();
      };
    };
  };
  const topics = new WeakSet<object>();
  const topic = client.topic.bind(client);
  Object.assign(client, {
    onState: count(client.onState.bind(client)),
    on: count(client.on.bind(client) as (...given: unknown[]) => () => void), // as it is called
    topic(name: string) {
      const found = topic(name);
      if (!topics.has(found)) Object.assign(found, { subscribe: count(found.subscribe) });
      topics.add(found);
      return found;
    },
  });
  return { client, count: () => listeners };
}

const Outside = () => useClient().state.name;

/** All chats on the page are followed. */
async function areLive(): Promise<void> {
  const statuses = () => [...document.querySelectorAll('.status')].map(({ textContent }) => textContent);
  while (statuses().length === 0 || statuses().some((status) => status !== 'live')) {
    await new Promise<void>((resolve) => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        resolve();
      });
      observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    });
  }
}

let sockets = 0;
class CountedSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    sockets += 1;
  }
}

let given: Given | undefined;
let probe: ReturnType<typeof counted> | undefined;
let root: Root | undefined;

window.chatPage = {
  open(options) {
    given = options;
    const { url, token } = options;
    const backoff = { firstMs: 20, longestMs: 100 };
    probe = counted(createClient({ url, getToken: () => token, backoff, WebSocket: CountedSocket }));
  },
  render({ chats = 2, chatId = given?.chatId ?? '', isLoggedIn = true } = {}) {
    root ??= createRoot(document.body);
    root.render(
      <StrictMode>
        <CarillonProvider client={isLoggedIn ? probe?.client : undefined}>
          <ConnectionIndicator />
          {Array.from({ length: chats }, (_, index) => index).map((index) => (
            <Chat key={index} chatId={chatId} />
          ))}
        </CarillonProvider>
      </StrictMode>,
    );
  },
  async renderAndUnmount(times) {
    for (let count = 1; count <= times; count += 1) {
      window.chatPage.render();
      await areLive();
      root?.unmount();
      root = undefined;
    }
  },
  renderOutside: () =>
    new Promise((resolve) => {
      const outside = createRoot(document.createElement('div'), {
        onUncaughtError: (error) => resolve(String(error)),
      });
      outside.render(<Outside />);
    }),
  count: () => ({
    listeners: probe?.count() ?? 0,
    topics: probe?.client.positions.topics.length ?? 0,
    sockets,
  }),
};
