using System.Text.Json.Serialization;

namespace R1Serverless.Bench;

[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(LoadResult))]
[JsonSerializable(typeof(List<BenchRow>))]
[JsonSerializable(typeof(VariantProbe))]
[JsonSerializable(typeof(BuildCost))]
[JsonSerializable(typeof(PrecisionReport))]
[JsonSerializable(typeof(QueueReport))]
[JsonSerializable(typeof(HotSwapReport))]
[JsonSerializable(typeof(List<ColdStartRow>))]
[JsonSerializable(typeof(GpuReport))]
internal sealed partial class BenchJson : JsonSerializerContext;
