using System.Text.Json.Serialization;

namespace R1Serverless.Bench;

[JsonSerializable(typeof(LoadResult))]
[JsonSerializable(typeof(List<BenchRow>))]
[JsonSerializable(typeof(VariantProbe))]
internal sealed partial class BenchJson : JsonSerializerContext;
