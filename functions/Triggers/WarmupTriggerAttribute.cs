using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace R1Serverless.Triggers;

/// <summary>Binds to <c>warmupTrigger</c>, which the host itself knows; the SDK takes the binding's name from the attribute's. Stands in for the
/// attribute of Microsoft's extension for warm-up.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class WarmupTriggerAttribute : TriggerBindingAttribute;
