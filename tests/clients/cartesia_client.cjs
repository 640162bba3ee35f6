// Cartesia's npm SDK, unmodified: prints what worked.
const { Cartesia } = require('@cartesia/cartesia-js');
const { TTSWS } = require('@cartesia/cartesia-js/resources/tts/ws');

const TEXT = 'Good morning, how are you today?';
const output_format = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16000 };
const speech = { model_id: 'sonic-3', voice: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b', output_format };
const client = new Cartesia({ apiKey: 'any', baseURL: process.argv[2] });

function check(what, bytes) {
  const seconds = bytes / 2 / 16000;
  if (seconds < 1 || seconds > 6) throw new Error(`${what}: ${seconds} s`);
  console.log(what);
}

async function main() {
  const answer = await client.tts.generate({ ...speech, transcript: TEXT });
  check('bytes', (await answer.arrayBuffer()).byteLength);

  let size = 0;
  for await (const event of await client.tts.generateSSE({ ...speech, transcript: TEXT })) {
    if (event.type === 'chunk') size += Buffer.from(event.data, 'base64').length;
  }
  check('sse', size);

  const socket = await new TTSWS(client).connect();
  const context = socket.context({ ...speech, add_timestamps: true, max_buffer_delay_ms: 300 });
  for (const transcript of ['Good morning, ', 'how are ', 'you today?']) await context.push({ transcript });
  await context.no_more_inputs();
  const words = [];
  size = 0;
  for await (const event of context.receive()) {
    if (event.type === 'chunk') size += Buffer.from(event.data, 'base64').length;
    if (event.type === 'timestamps') words.push(...event.word_timestamps.words);
  }
  if (words.join(' ') !== TEXT) throw new Error(words.join(' '));
  check('socket', size);
  socket.close();
}

main();
