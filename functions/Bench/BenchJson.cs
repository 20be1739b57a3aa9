using System.Text.Json.Serialization;

namespace R1Serverless.Bench;

[JsonSerializable(typeof(LoadResult))]
[JsonSerializable(typeof(List<BenchRow>))]
internal sealed partial class BenchJson : JsonSerializerContext;
