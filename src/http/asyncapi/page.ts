// The AsyncAPI document as one page to read: commands under their headings with a frame to send, kinds of topic, events and
// shapes, each with an anchor. Written from the document alone, so it says no more and no less.

import type { JsonSchema } from '../named-schemas.ts';
import { type Html, html, prose, sentence } from './html.ts';
import type { Message } from './messages.ts';
import type { AsyncApiDocument, AsyncOperation, Ref } from './parts.ts';
import { renderSchema } from './schema-html.ts';

export function renderPage(document: AsyncApiDocument): string {
  const { info, servers, components } = document;
  const headings = listHeadings(document);
  const events = Object.entries(components.messages).filter(([, message]) => 'x-durable' in message);
  const notices = (document.operations.notices?.messages ?? []).map(keyOf);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title}: the WebSocket</title>
<link rel="icon" href="/swagger/favicon-32x32.png">
<link rel="stylesheet" href="/asyncapi/page.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>${info.title}: the WebSocket</h1>
<p>${prose(info.description)}</p>
<p>${prose(servers.ws?.description ?? '')}</p>
<p>Version ${info.version}. The same for programs: <a href="/asyncapi.json">asyncapi.json</a>.</p>
</header>
<nav aria-label="Contents">
<ul>
${headings.map(
  ({
    name,
    commands,
  }) => html`<li><a href="#${anchorOf(name)}">${name}</a> <small>${commands.map(([type], index) => html`${index > 0 && ' · '}<a href="#command-${type}">${type}</a>`)}</small></li>
`,
)}<li><a href="#topics">Kinds of topic</a> <small>${Object.entries(document.channels)
    .filter(([, { address }]) => address !== null)
    .map(
      ([kind, { title }], index) => html`${index > 0 && ' · '}<a href="#topic-${kind}">${title}</a>`,
    )}</small></li>
<li><a href="#events">Events</a></li>
<li><a href="#notices">What the server says unasked</a></li>
<li><a href="#shapes">Shapes</a></li>
</ul>
</nav>
<main id="content">
${headings.map(
  ({ name, description, commands }) => html`<section aria-labelledby="${anchorOf(name)}">
<h2 id="${anchorOf(name)}">${name}</h2>
<p>${sentence(description)}</p>
${commands.map(([type, operation]) => renderCommand(document, type, operation))}</section>
`,
)}<section aria-labelledby="topics">
<h2 id="topics">Kinds of topic</h2>
${Object.keys(document.channels).map((kind) => renderKind(document, kind))}</section>
<section aria-labelledby="events">
<h2 id="events">Events</h2>
<p>What is durable has a <code>seq</code>, is in the log, and is replayed; what is ephemeral reaches who is there now.</p>
${events.map(([key, message]) => renderEvent(document, key, message))}</section>
<section aria-labelledby="notices">
<h2 id="notices">What the server says unasked</h2>
${notices.map((key) => renderNotice(components.messages[key]))}</section>
<section aria-labelledby="shapes">
<h2 id="shapes">Shapes</h2>
${Object.entries(components.schemas).map(
  ([name, schema]) => html`<article>
<h3 id="shape-${name}">${name}</h3>
${renderSchema(schema, 'Fields')}</article>
`,
)}</section>
</main>
</body>
</html>
`.html;
}

interface Heading {
  readonly name: string;
  readonly description: string;
  readonly commands: readonly (readonly [type: string, AsyncOperation])[];
}

/** In the order of the modules. */
function listHeadings({ info, operations }: AsyncApiDocument): Heading[] {
  const sent = Object.entries(operations).filter(([, { action }]) => action === 'send');
  const byTag = Map.groupBy(sent, ([, { tags }]) => tags?.[0]?.name ?? '');
  const described = new Map(info.tags.map(({ name, description }) => [name, description]));
  return [...byTag].map(([name, commands]) => ({ name, description: described.get(name) ?? name, commands }));
}

function renderCommand({ components }: AsyncApiDocument, type: string, operation: AsyncOperation): Html {
  const { summary, description, messages, reply, 'x-refuses': refuses = [] } = operation;
  const [frame] = messages.map((ref) => components.messages[keyOf(ref)]);
  const [answer] = (reply?.messages ?? []).map((ref) => components.messages[keyOf(ref)]);
  const facts = [
    operation['x-takesKey'] && 'takes a key',
    operation['x-writes'] === true && 'writes events',
    operation['x-writes'] === 'sometimes' && 'may write events',
    operation['x-late'] && 'answered behind later commands',
  ].filter((fact) => typeof fact === 'string');
  return html`<article>
<h3 id="command-${type}">${type}</h3>
<p>${sentence(summary)}${description && html` ${prose(description)}`}</p>
${
  facts.length > 0 &&
  html`<ul class="facts">${facts.map((fact) => html`<li>${fact}</li>`)}</ul>
`
}${renderExample(frame)}
${renderPayload(frame, 'Payload')}
${answer && renderPayload(answer, `Payload of the ${answer.name}`)}
<p>Refused with ${refuses.map((code, index) => html`${index > 0 && ', '}<code>${code}</code>`)}.</p>
</article>
`;
}

function renderKind({ channels, components }: AsyncApiDocument, kind: string): Html {
  const channel = channels[kind];
  if (channel === undefined || channel.address === null) return html``;
  const { title, messages, 'x-presence': hasPresence, 'x-snapshot': snapshot } = channel;
  return html`<article>
<h3 id="topic-${kind}">${title}</h3>
<ul class="facts">${hasPresence && html`<li>has presence</li>`}<li>${snapshot ? 'has a snapshot' : 'no snapshot'}</li></ul>
${snapshot && renderSchema(snapshot, 'Snapshot')}
<ul>${Object.keys(messages).map(
    (key) => html`<li><a href="#${key}">${components.messages[key]?.title}</a></li>`,
  )}</ul>
</article>
`;
}

function renderEvent({ channels }: AsyncApiDocument, key: string, message: Message): Html {
  const on = Object.entries(channels).filter(([, { messages }]) => key in messages);
  return html`<article>
<h3 id="${key}">${message.title}</h3>
<p>On ${on.map(([kind, { title }], index) => html`${index > 0 && ', '}<a href="#topic-${kind}">${title}</a>`)}.</p>
${renderExample(message)}
${renderPayload(message, 'Payload')}</article>
`;
}

const renderNotice = (message: Message | undefined): Html =>
  html`${
    message &&
    html`<article>
<h3 id="notice-${message.name}">${message.name}</h3>
<p>${sentence(message.summary ?? '')}</p>
${renderExample(message)}
${renderPayload(message, 'Payload')}</article>
`
  }`;

/** The frame as it goes over the wire, but for the line breaks. */
const renderExample = (message: Message | undefined): Html =>
  html`<pre><code>${JSON.stringify(message?.examples[0]?.payload, null, 2)}</code></pre>`;

function renderPayload(message: Message | undefined, caption: string): Html {
  const schema: JsonSchema | undefined = message?.payload.properties?.payload;
  return schema === undefined ? html`` : renderSchema(schema, caption);
}

/** Headings may have spaces. */
const anchorOf = (name: string): string => `tag-${name.replaceAll(' ', '-')}`;

/** Of a message, from a reference to it. */
const keyOf = ({ $ref }: Ref): string => $ref.split('/').at(-1) ?? '';
