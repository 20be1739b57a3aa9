using System.Text.Json.Serialization;
using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(LoadResult))]
[JsonSerializable(typeof(BuildCost))]
[JsonSerializable(typeof(List<ThroughputRow>))]
[JsonSerializable(typeof(PrecisionReport))]
[JsonSerializable(typeof(QueueReport))]
[JsonSerializable(typeof(HotSwapReport))]
[JsonSerializable(typeof(List<ColdStartRow>))]
internal sealed partial class BenchmarkJson : JsonSerializerContext;
