// One visit with the built client, the same in a browser, in Bun and in Node: a chat is followed, written to, left and resumed.
// As a program it reads what it needs from the environment and prints what it saw.

export async function visit({ createClient, isEvent, Refused }, { url, token, chatId }) {
  const seen = [];
  const client = createClient({ url, getToken: () => token, backoff: { firstMs: 10, longestMs: 50 } });
  client.on(
    'message.created',
    (event) => isEvent(event, 'message.created') && seen.push(event.payload.content),
  );
  const chat = client.topic(`chat:${chatId}`);
  await client.connect();
  const say = async (content) => {
    const { seq } = await client.send('message.send', { chatId, content });
    await chat.reach(seq);
  };
  await say('one');
  client.close();
  const paused = chat.status;
  const [later] = [client.send('message.send', { chatId, content: 'two' }), client.connect()];
  await chat.reach((await later).seq);
  const refused = await client.send('message.send', { chatId, content: '' }).catch((error) => error);
  const result = {
    seen,
    paused,
    status: chat.status,
    refused: refused instanceof Refused && refused.code,
    contents: chat.state.messages.map(({ content }) => content),
    offers: chat.state.offers,
  };
  client.close();
  return result;
}

if (globalThis.process?.env.CARILLON_VISIT !== undefined) {
  const { client, ...given } = JSON.parse(process.env.CARILLON_VISIT);
  console.log(JSON.stringify(await visit(await import(client), given)));
}
