using System.Text.Json.Serialization;

namespace R1Serverless.Bench;

[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(LoadResult))]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(VariantProbe))]
[JsonSerializable(typeof(GpuReport))]
internal sealed partial class BenchJson : JsonSerializerContext;
