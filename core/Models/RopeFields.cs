using R1Serverless.Models.Families;

namespace R1Serverless.Models;

/// <summary>What a config.json says about rotary embeddings: in <c>rope_parameters</c> (transformers 5), in <c>rope_scaling</c> and beside it
/// (transformers 4), or partly here, partly there.</summary>
/// <param name="LocalTheta">Of layers with a window; null where it is the others' theta.</param>
/// <param name="RotarySize">How many channels of a head are rotated.</param>
/// <param name="ContextLength">For how many tokens the frequencies hold.</param>
internal sealed record RopeFields(double Theta, double? LocalTheta, RopeScaling? Scaling, int RotarySize, int ContextLength)
{
    private const int MaxContext = 1 << 24;

    /// <summary>What ONNX Runtime's GroupQueryAttention accepts.</summary>
    private const int RotaryStep = 16;

    private const string Newer = "rope_parameters", Older = "rope_scaling", Original = "original_max_position_embeddings";

    /// <summary>What may stand beside the kind in any of them.</summary>
    private static readonly string[] Common = ["rope_type", "type", "rope_theta", "partial_rotary_factor", Original];

    /// <exception cref="InvalidModelException">A field is missing, out of range, not known, or says something else than another.</exception>
    public static RopeFields Read(JsonFields json, DecoderFamily family, int headSize)
    {
        var context = json.Integer("max_position_embeddings", 1, MaxContext);
        var newer = json.FindObject(Newer);
        var local = newer?.FindObject("sliding_attention");
        if (newer?.FindObject("full_attention") is { } global) newer = global;
        else if (local is not null) throw newer!.Value.Missing("full_attention");
        if (local is not null && family.LocalRopeTheta is null)
            throw json.Invalid(Newer, $"has values for each kind of layer, which {family.ModelType} does not know");

        JsonFields[] places = [.. new[] { newer, json.FindObject(Older), json }.OfType<JsonFields>()];
        var rotary = RotarySizeOf(json, family, headSize, One(places, "partial_rotary_factor", 1e-3, 1) ?? 1);
        List<(JsonFields Place, string Kind)> scaled = [];
        foreach (var place in places[..^1])
        {
            if (KindOf(place, family) is { } kind) scaled.Add((place, kind));
        }

        if (scaled.Count > 1) throw json.Invalid(Older, $"stands beside other {Newer}: leave one of them out");
        var (scaling, length) = scaled.Count == 0 ? (null, context) : ReadScaling(json, scaled[0].Place, scaled[0].Kind, context, rotary);
        return new RopeFields(One(places, "rope_theta", 1, 1e12) ?? family.RopeTheta, LocalThetaOf(json, local, family), scaling, rotary, length);
    }

    private static double? LocalThetaOf(JsonFields json, JsonFields? local, DecoderFamily family)
    {
        if (local is { } own && KindOf(own, family) is { } kind) throw own.Invalid("rope_type", $"is '{kind}', but layers with a window have none");
        return family.LocalRopeTheta is not { } usual ? null
            : local?.FindNumber("rope_theta", 1, 1e12) ?? json.FindNumber("rope_local_base_freq", 1, 1e12) ?? usual;
    }

    private static int RotarySizeOf(JsonFields json, DecoderFamily family, int headSize, double share)
    {
        if (share != 1 && !family.RotatesPartly)
            throw json.Invalid("partial_rotary_factor", $"is {share}, but {family.ModelType} rotates whole heads");
        var size = (int)(headSize * share);
        return size > 0 && size % RotaryStep == 0 ? size
            : throw json.Invalid(share == 1 ? "head_dim" : "partial_rotary_factor",
            share == 1 ? $"must be a multiple of {RotaryStep}, but is {headSize}"
            : $"must make a multiple of {RotaryStep} of head_dim ({headSize}), but is {share}");
    }

    /// <summary>The one value of a field that may stand in several places.</summary>
    private static double? One(IEnumerable<JsonFields> places, string name, double least, double most)
    {
        double? found = null;
        foreach (var place in places)
        {
            if (place.FindNumber(name, least, most) is not { } value) continue;
            if (found is not null && found != value) throw place.Invalid(name, $"is {value} here, but {found} in another place of the file");
            found = value;
        }

        return found;
    }

    /// <summary>The kind is in <c>rope_type</c>, in old files in <c>type</c>; null for plain embeddings.</summary>
    private static string? KindOf(JsonFields fields, DecoderFamily family)
    {
        var kind = fields.FindString("rope_type") ?? fields.FindString("type");
        if (kind is "su" or "yarn") kind = family.FormerYarn ?? kind;
        string[] known = kind switch
        {
            null => [],
            "default" => [],
            "linear" or "dynamic" => ["factor"],
            "llama3" => ["factor", "low_freq_factor", "high_freq_factor"],
            "yarn" => ["factor", "attention_factor", "attn_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"],
            "longrope" => ["factor", "attention_factor", "short_factor", "long_factor"],
            _ => throw fields.Invalid("rope_type", $"asks for '{kind}'; supported are default, linear, dynamic, llama3, yarn and longrope"),
        };
        if (fields.Names.Except(Common).Except(known).FirstOrDefault() is { } unknown)
        {
            throw kind is null ? fields.Missing("rope_type")
                : fields.Invalid(unknown, $"has no meaning for '{kind}' embeddings: leave it out, or name the kind that it is for in rope_type");
        }

        return kind is "default" ? null : kind;
    }

    private static (RopeScaling? Scaling, int Context) ReadScaling(JsonFields json, JsonFields fields, string kind, int context, int rotarySize)
    {
        var original = fields.FindInteger(Original, 1, MaxContext);
        switch (kind)
        {
            case "linear":
                return (new RopeScaling.Linear(fields.Number("factor", 1, 1e6)), context);
            case "dynamic":
                // Longer texts would have other frequencies, for the tokens before them too: up to here they are plain.
                fields.Number("factor", 1, 1e6);
                return (null, Math.Min(original ?? context, context));
            case "llama3":
                return (ReadLlama3(fields), context);
            case "yarn":
                var yarn = ReadYarn(fields, original ?? context);
                return (yarn, (int)Math.Clamp(yarn.OriginalContext * yarn.Factor, context, MaxContext));
            default:
                var pretrained = original ?? json.Integer(Original, 2, MaxContext);
                return (ReadLongRope(fields, context, pretrained, rotarySize / 2), Math.Min(pretrained, context));
        }
    }

    private static RopeScaling.Llama3 ReadLlama3(JsonFields fields)
    {
        var (low, high) = (fields.Number("low_freq_factor", 1e-6, 1e6), fields.Number("high_freq_factor", 1e-6, 1e6));
        return high > low
            ? new RopeScaling.Llama3(fields.Number("factor", 1, 1e6), low, high, fields.Integer(Original, 1))
            : throw fields.Invalid("high_freq_factor", "must be larger than low_freq_factor");
    }

    private static RopeScaling.Yarn ReadYarn(JsonFields fields, int original)
    {
        var factor = fields.Number("factor", 1, 1e6);
        double Length(double weight) => (0.1 * weight * Math.Log(factor)) + 1;
        double? Weight(string name) => fields.FindNumber(name, 0, 1e6) is { } value and not 0 ? value : null;
        var (fast, slow) = (Weight("beta_fast") ?? 32, Weight("beta_slow") ?? 1);
        if (fast <= slow) throw fields.Invalid("beta_fast", "must be larger than beta_slow");
        var usual = Weight("mscale") is { } one && Weight("mscale_all_dim") is { } all ? Length(one) / Length(all) : Length(1);
        var named = fields.FindNumber("attention_factor", 1e-6, 1e6);
        // vLLM's word, which DeepSeek-R1-0528-Qwen3-8B uses: it is multiplied by the usual one, and there makes it 1.
        var more = fields.FindNumber("attn_factor", 1e-6, 1e6);
        if (named is not null && more is not null) throw fields.Invalid("attn_factor", "stands beside attention_factor: leave one of them out");
        return new RopeScaling.Yarn(factor, fast, slow, original, fields.FindBoolean("truncate") ?? true, named ?? (usual * (more ?? 1)));
    }

    private static RopeScaling.LongRope ReadLongRope(JsonFields fields, int context, int original, int pairs)
    {
        fields.Numbers("long_factor", pairs, 1e-6, 1e6);
        var stretch = (double)context / original;
        var usual = stretch <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(stretch) / Math.Log(original)));
        return new RopeScaling.LongRope(
            fields.Numbers("short_factor", pairs, 1e-6, 1e6), fields.FindNumber("attention_factor", 1e-6, 1e6) ?? usual);
    }
}
