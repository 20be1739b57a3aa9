namespace R1Serverless.Generation;

/// <summary>What a request leaves open: the values of the model's generation_config.json.</summary>
/// <param name="Temperature">0 is greedy.</param>
/// <param name="TopP">In (0, 1]; 1 keeps every token.</param>
/// <param name="TopK">0 keeps every token.</param>
internal readonly record struct SamplingDefaults(float Temperature, float TopP, int TopK);
