// gRPC's own client for Node with the published definition: streams of requests (Triton's ModelStreamInfer) to the address that is given; says what it
// saw as one JSON object.
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [address, proto, model, tensors] = process.argv.slice(2);
const { inference } = grpc.loadPackageDefinition(loader.loadSync(proto, { keepCase: true, longs: Number, arrays: true, defaults: true }));
const client = new inference.GRPCInferenceService(address, grpc.credentials.createInsecure());

const text = (id, prompt, stream, more = {}) => ({
  model_name: model, id, parameters: { max_tokens: { int64_param: 8 }, temperature: { double_param: 0 }, ...more },
  inputs: [
    { name: "text_input", datatype: "BYTES", shape: [1], contents: { bytes_contents: [Buffer.from(prompt)] } },
    { name: "stream", datatype: "BOOL", shape: [1], contents: { bool_contents: [stream] } },
  ],
});
const numbers = (id, values) => ({
  model_name: tensors, id, inputs: [{ name: "x", datatype: "FP32", shape: [1, values.length], contents: { fp32_contents: values } }],
});
// So long that it does not all come at once.
const many = { max_tokens: { int64_param: 200 }, ignore_eos: { bool_param: true } };
const element = (raw) => raw.subarray(4).toString();

const all = (requests) => new Promise((resolve, reject) => {
  const stream = client.ModelStreamInfer(), seen = {};
  stream.on("data", ({ error_message, infer_response: { id, outputs, raw_output_contents, parameters } }) => {
    (seen[id] ??= []).push({ error: error_message, output: outputs[0]?.name, raw: raw_output_contents[0], last: parameters.triton_final_response.bool_param });
  });
  stream.on("error", reject);
  stream.on("end", () => resolve(seen));
  for (const request of requests) stream.write(request);
  stream.end();
});

const seen = await all([
  text("pieces", "6 * 7 =", true, many), text("whole", "6 * 7 =", false, many), numbers("tensor", [1, 2, 3]), text("refused", "a", true, { speed: { int64_param: 1 } }),
  { model_name: "nobody", id: "unknown", inputs: numbers("", [1]).inputs }, text("after", "1 + 1 =", true),
]);
const cancelled = client.ModelStreamInfer();
const code = new Promise((resolve) => cancelled.on("error", (error) => resolve(error.code)));
cancelled.on("data", () => cancelled.cancel());
cancelled.write(text("long", "1 + 1 =", true, { max_tokens: { int64_param: 500 }, ignore_eos: { bool_param: true } }));

console.log(JSON.stringify({
  pieces: seen.pieces.map((one) => element(one.raw)).join(""), count: seen.pieces.length, whole: seen.whole.map((one) => element(one.raw)),
  after: seen.after.length, ends: Object.fromEntries(Object.entries(seen).map(([id, some]) => [id, some.map((one) => one.last).indexOf(true) === some.length - 1])),
  output: seen.pieces[0].output, tensor: [...new Float32Array(new Uint8Array(seen.tensor[0].raw).buffer)],
  errors: [seen.refused[0].error, seen.unknown[0].error], cancelled: await code,
}));
client.close();
